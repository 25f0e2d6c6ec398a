/** How tenant databases differ from what their version should look like. Reads only. */
import { listReplicatedDatabases, type ReplicatedDatabase } from "#engine/home/replicated-databases";
import { regionAddress } from "#engine/regions/regions";
import { forEachLimit } from "#base/kernel/semaphore";
import { describeSchemaIn } from "#engine/migrations/fingerprint";
import { diffSchema } from "#engine/migrations/schema-difference";
import type { ServerAddress } from "#base/postgres/connection-url";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { tellOperator } from "#engine/failures/explain";
import { refusalOf } from "#engine/failures/refusals";
import type { Services } from "#engine/services";

/** One tenant database that is not as it should be. */
export type Drift = {
  database: string;
  version: number;
  /** What differs, a sentence each; more than {@link MAX_DIFFERENCES} are cut off. */
  differences: string[];
};

const CONCURRENCY = 4;
const MAX_DIFFERENCES = 20;

/** Looks into every tenant database that can be reached, one connection each. */
export async function findDrift(services: Services): Promise<Drift[]> {
  const addresses = new Map<string, ServerAddress>();
  const found: Drift[] = [];
  await forEachLimit(await listReplicatedDatabases(services, {}), CONCURRENCY, async (row) => {
    const address = addresses.get(row.regionId) ?? (await regionAddress(services, row.regionId));
    addresses.set(row.regionId, address);
    const drift = await look(services, row, address);
    if (drift !== undefined) found.push(drift);
  });
  return found.toSorted((a, b) => (a.database < b.database ? -1 : 1));
}

async function look(
  services: Services,
  { database, schemaVersion }: ReplicatedDatabase,
  address: ServerAddress,
): Promise<Drift | undefined> {
  const version = schemaVersion ?? services.tenantSchema.latestVersion;
  const expected = services.tenantSchema.expected?.(version);
  // Newer than this program, which then does not know what it should look like.
  if (expected === undefined) return undefined;
  try {
    const actual = await services.pools.visit("tenant", address, database, describeSchemaIn);
    if (actual.fingerprint === expected.fingerprint) return undefined;
    return { database, version, differences: diffSchema(expected, actual).slice(0, MAX_DIFFERENCES) };
  } catch (error) {
    if (sqlState(error) === SQL_STATE.undefinedDatabase)
      return { database, version, differences: ["the database is gone from its server"] };
    // A server that is away is the health's to report. One that refuses only this database is seen here alone.
    if (isConnectionFailure(error)) return undefined;
    if (refusalOf(error) === undefined) throw error;
    return { database, version, differences: [tellOperator(error)] };
  }
}
