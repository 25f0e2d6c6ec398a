/** How tenant databases differ from what their migrations make of a new one, and home from what it was. Changes nothing in them. */
import type { Drift, DriftOfDatabase } from "#engine/doctor/drift";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { listReplicatedDatabases, type NumberRange, type ReplicatedDatabase } from "#engine/home/replicated-databases";
import { compareHome } from "#engine/migrations/home-schema";
import { homeSchemaOf } from "#engine/migrations/migration-set";
import { type SchemaVersion, totalOf } from "#engine/migrations/schema-version";
import { type Look, SchemaComparisons } from "#engine/placements/compare-schema";
import type { RegionServerAt } from "#engine/placements/template-database";
import { findMissingRights } from "#engine/regions/api-rights";
import { regionAddress } from "#engine/regions/region-address";
import { TenantryError } from "#base/kernel/errors";
import { forEachLimit, Semaphore } from "#base/kernel/semaphore";
import { orLate } from "#base/kernel/wait";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import type { HomeDatabase } from "#base/postgres/database";
import { inboxRoleName } from "#engine/replication/names";
import { tellOperator } from "#engine/failures/explain";
import { refusalOf } from "#engine/failures/refusals";
import type { Services } from "#engine/services";

export type { Drift } from "#engine/doctor/drift";

const PER_SERVER = 6;
/** Over all servers, in this process. */
const MAX_CONNECTIONS = 32;
const MAX_DIFFERENCES = 20;

/** Looks into home, and into every tenant database that can be reached, one connection each. */
export async function findDrift(services: Services): Promise<Drift[]> {
  const regions = new Map<string, RegionServerAt>();
  const comparisons = new SchemaComparisons(services);
  const rightsOf: Look = (session) => findMissingRights(session, services.apiRole.name);
  const found: Drift[] = await findHomeDrift(services);
  const byRegion = Map.groupBy(await listReplicatedDatabases(services, {}), ({ regionId }) => regionId);
  const permits = new Semaphore(MAX_CONNECTIONS);
  const compareOne = async (row: ReplicatedDatabase) => {
    const { regionId, database, schemaVersion } = row;
    // To compare, a database may have to be made there.
    if (services.ownership.isLost(regionId)) return;
    const region = regions.get(regionId) ?? { regionId, address: await regionAddress(services, regionId) };
    regions.set(regionId, region);
    const { version, differences } = await look(comparisons, region, database, schemaVersion, rightsOf);
    if (differences.length > 0)
      found.push({
        database,
        version: version === null ? 0 : totalOf(version),
        differences: differences.slice(0, MAX_DIFFERENCES),
      });
  };
  // One server that is far away keeps no other one waiting.
  await Promise.all(
    [...byRegion.values()].map((rows) =>
      forEachLimit(rows, PER_SERVER, (row) => permits.withPermit(() => compareOne(row))),
    ),
  );
  return found.toSorted((a, b) => (a.database < b.database ? -1 : 1));
}

/** Tenant databases that can be compared, for the operator. */
export function listComparable(
  services: Pick<Services, "home">,
  actor: Actor,
  page: NumberRange,
): Promise<ReplicatedDatabase[]> {
  authorizeOperator(actor);
  return listReplicatedDatabases(services, page);
}

/**
 * The same of these databases alone, also of those without a difference. Each may take so long. One that cannot be compared in
 * that time says so in place of its differences.
 */
export async function compareDatabases(
  services: Services,
  rows: readonly ReplicatedDatabase[],
  timeoutMs: number,
): Promise<DriftOfDatabase[]> {
  const comparisons = new SchemaComparisons(services);
  const rightsOf: Look = (session) => findMissingRights(session, services.apiRole.name);
  const compareOne = async ({ databaseId, regionId, database, schemaVersion }: ReplicatedDatabase) => {
    const about = { databaseId, regionId, database, version: schemaVersion === null ? 0 : totalOf(schemaVersion) };
    const lost = services.ownership.whyLost(regionId);
    if (lost !== undefined) return { ...about, differences: [lost] };
    const late = new Error("connection timeout: no answer");
    try {
      const address = await regionAddress(services, regionId);
      const compared = comparisons.compare({ regionId, address }, database, rightsOf);
      const { seen, version, differences } = await orLate(compared, timeoutMs, () => late);
      const all = withoutTwins(seen, differences).slice(0, MAX_DIFFERENCES);
      return { ...about, version: version === null ? about.version : totalOf(version), differences: all };
    } catch (error) {
      const reason =
        error === late ? "it cannot be compared: its server does not answer in time" : whyNotCompared(error);
      return { ...about, differences: [reason] };
    }
  };
  return Promise.all(rows.map(compareOne));
}

/** At home the migrations of the app's own tables there count too. */
async function findHomeDrift({
  home,
  homeDatabaseName,
  installation,
  tenantSchema,
  apiRole,
}: Pick<Services, "apiRole" | "home" | "homeDatabaseName" | "installation" | "tenantSchema">): Promise<Drift[]> {
  const [{ version, differences: changed }, missing, excess] = await Promise.all([
    compareHome(home, homeSchemaOf(tenantSchema)),
    findMissingRights(home, apiRole.name),
    findExcessOfInboxRole(home, inboxRoleName(installation)),
  ]);
  const differences = [...excess, ...withoutTwins(missing, changed)];
  if (differences.length === 0) return [];
  return [{ database: homeDatabaseName, version, differences: differences.slice(0, MAX_DIFFERENCES) }];
}

/**
 * What regions send is applied with the rights of this role, so it must be able to do no more than write the inbox. To get home
 * through pg_upgrade on 15, somebody can make it a superuser, and forget it.
 */
async function findExcessOfInboxRole(home: HomeDatabase, role: string): Promise<string[]> {
  const found = await home.query("drift.inbox_role", "select from pg_roles where rolname = $1 and rolsuper", [role]);
  return found.map(() => `the role ${role} is a superuser: run ALTER ROLE ${role} NOSUPERUSER;`);
}

/** A right that the API's role lacks is a difference of the schema too, in other words. */
function withoutTwins(missing: readonly string[], changed: readonly string[]): string[] {
  // Differences name what is in schema tenantry without it.
  const objects = missing.flatMap((sentence) => / on (.+)$/.exec(sentence)?.[1]?.replace(" tenantry.", " ") ?? []);
  const isTwin = (sentence: string) => objects.some((object) => sentence.startsWith(`${object} lacks grant `));
  return [...missing, ...changed.filter((sentence) => !isTwin(sentence))];
}

async function look(
  comparisons: SchemaComparisons,
  region: RegionServerAt,
  database: string,
  version: SchemaVersion | null,
  rightsOf: Look,
) {
  try {
    const { seen, ...compared } = await comparisons.compare(region, database, rightsOf);
    return { ...compared, differences: withoutTwins(seen, compared.differences) };
  } catch (error) {
    // A server that is away is the health's to report. One that refuses only this database is seen here alone.
    if (isConnectionFailure(error)) return { version, differences: [] };
    return { version, differences: [whyNotCompared(error)] };
  }
}

function whyNotCompared(error: unknown): string {
  const state = sqlState(error);
  if (state === SQL_STATE.undefinedDatabase) return "the database is gone from its server";
  if (state === SQL_STATE.undefinedTable)
    return "table tenantry.migrations is missing, so nobody can tell which migrations the database has";
  // A region's server says what it likes: its answer may be of another form.
  if (refusalOf(error) === undefined && !(error instanceof TenantryError))
    return "it cannot be compared: its server does not answer as PostgreSQL does";
  return `it cannot be compared: ${tellOperator(error)}`;
}
