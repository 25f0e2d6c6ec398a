/** How tenant databases differ from what their version should look like. Reads only. */
import { listReplicatedDatabases, type ReplicatedDatabase } from "#engine/home/replicated-databases";
import { findMissingRights } from "#engine/regions/api-rights";
import { regionAddress } from "#engine/regions/regions";
import { forEachLimit } from "#base/kernel/semaphore";
import { describeSchemaIn } from "#engine/migrations/fingerprint";
import { diffSchema } from "#engine/migrations/schema-difference";
import type { ServerAddress } from "#base/postgres/connection-url";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
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
  // Home has no version of its own to be compared with: only what its API lacks there.
  const differences = (await findMissingRights(services.home, services.apiRole.name)).slice(0, MAX_DIFFERENCES);
  if (differences.length > 0)
    found.push({ database: "home", version: services.tenantSchema.latestVersion, differences });
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
    const { actual, missing } = await services.pools.visit("tenant", address, database, async (session) => ({
      actual: await describeSchemaIn(session),
      missing: await findMissingRights(session, services.apiRole.name).catch(() => []),
    }));
    const different = actual.fingerprint === expected.fingerprint ? [] : diffSchema(expected, actual);
    const differences = [...different, ...missing].slice(0, MAX_DIFFERENCES);
    return differences.length === 0 ? undefined : { database, version, differences };
  } catch (error) {
    if (sqlState(error) === SQL_STATE.undefinedDatabase)
      return { database, version, differences: ["the database is gone from its server"] };
    // A server that is away is the health's to report.
    if (isConnectionFailure(error)) return undefined;
    throw error;
  }
}
