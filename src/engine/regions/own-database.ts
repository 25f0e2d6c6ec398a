/**
 * Whether a tenant database is the one that home means: made by this installation, under this number, owned by this home, and
 * not another organization's whom home has forgotten. Whatever writes into one, reads all of it or drops it asks here.
 */
import { VERSION_HERE } from "#engine/migrations/applied";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import type { Placement } from "#engine/home/placements";
import type { Ownership } from "#engine/regions/ownership";
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Queryable, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { describeDatabase } from "#engine/regions/mark";

type Context = { installation: string; ownership: Ownership };
type Named = Pick<Placement, "database" | "databaseId">;
/** What a database is for. Without an organization: it was made ahead of a grant, and holds nobody's rows. */
export type Meant = Named & Pick<Placement, "isolation"> & { organizationId: string | null };
/** A table of the app; a row that goes with another one says no more than that one. */
type Table = { name: string; goesWithParent: boolean };

const READ_IDENTITY = `select installation_id as "installationId", database_id as "databaseId", ${VERSION_HERE} as version
  from tenantry.identity`;

/** What a database says of itself. `version`: of its schema. */
export type Identity = { installationId: string; databaseId: number; version: SchemaVersion };

/** `UNMADE`: it has no schema yet. `UNNAMED`: it has one, and nobody has said which database it is. */
export async function readIdentity(database: Queryable<DatabaseKind>): Promise<Identity | "UNMADE" | "UNNAMED"> {
  try {
    const [identity] = await database.query<Identity>("identity.read", READ_IDENTITY);
    return identity ?? "UNNAMED";
  } catch (error) {
    // Asked beforehand it would be one more round trip, each time.
    if (sqlState(error) === SQL_STATE.undefinedTable) return "UNMADE";
    throw error;
  }
}

/** Whether the identity is the one that home means. */
export function isMeant(
  { installation }: Pick<Context, "installation">,
  identity: Identity,
  { databaseId }: Named,
): boolean {
  return identity.installationId === installation && identity.databaseId === databaseId;
}

/** A statement that says on the server which database it is, and whose. Anybody may read that. */
export async function describingOwn(context: Context, { database, databaseId }: Named): Promise<string> {
  const { owner } = await context.ownership.identity();
  const text = describeDatabase(context.installation, databaseId, owner);
  return `comment on database ${quoteIdentifier(database)} is ${quoteLiteral(text)}`;
}

/**
 * Writes into the database which one it is. Refuses a database that says it is another one. Returns the version of its
 * schema: an earlier attempt may have made it, from the template of another program. `isNew`: it was made a moment ago, so
 * nobody's rows are in it.
 */
export async function ensureIdentity(
  context: Context,
  database: TenantDatabase,
  placement: Meant,
  tablesAt: (version: SchemaVersion) => readonly Table[],
  { isNew = false }: { isNew?: boolean } = {},
): Promise<SchemaVersion> {
  const [identity] = await database.query<Identity>(
    "identity.ensure",
    `with added as (
       insert into tenantry.identity (installation_id, database_id) values ($1, $2)
       on conflict do nothing returning installation_id, database_id
     )
     select installation_id as "installationId", database_id as "databaseId",
            ${VERSION_HERE} as version
     from (select * from added union all select installation_id, database_id from tenantry.identity limit 1) found`,
    [context.installation, placement.databaseId],
  );
  if (identity === undefined || !isMeant(context, identity, placement))
    throw new TenantryError(
      "CONFLICT",
      `The database ${placement.database} on the region's server belongs to something else: rename or drop it.`,
    );
  if (placement.isolation === "DEDICATED" && !isNew)
    await refuseForgotten(database, placement, tablesAt(identity.version));
  return identity.version;
}

/**
 * CONFLICT for a database that is not the placement's: it is not to be written into, and not to be dropped. `isAlone`: it is to
 * go as a whole, so nobody else's rows may be in it, of whom a restored home may know nothing. That it is this home's was asked.
 */
export async function requireOwn(
  context: Context,
  database: TenantDatabase,
  placement: Meant,
  tables: readonly Table[],
  { isAlone }: { isAlone: boolean },
): Promise<void> {
  const { identity, others } = await lookInside(database, placement, isAlone ? tables : undefined);
  // One that was made and never identified holds nothing yet.
  if (identity === "UNNAMED") return;
  if (identity === "UNMADE" || !isMeant(context, identity, placement))
    throw new TenantryError(
      "CONFLICT",
      `The database ${placement.database} on the region's server belongs to something else: rename it, then retry.`,
    );
  if (others > 0) throw forgotten(placement);
}

/** What it says of itself, and how many of the tables have another organization's rows. One message, as the server may be far away. */
async function lookInside(
  database: TenantDatabase,
  placement: Meant,
  tables: readonly Table[] | undefined,
): Promise<{ identity: Identity | "UNMADE" | "UNNAMED"; others: number }> {
  if (tables === undefined) return { identity: await readIdentity(database), others: 0 };
  const looks = [{ text: READ_IDENTITY }, { text: othersIn(tables), values: [placement.organizationId] }];
  try {
    const [named = [], others = []] = await database.session((session) => session.batch("identity.look", looks));
    return { identity: (named[0] as Identity | undefined) ?? "UNNAMED", others: others.length };
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.undefinedTable) throw error;
    const identity = await readIdentity(database);
    if (typeof identity !== "string") throw error;
    return { identity, others: 0 };
  }
}

/**
 * A home that was restored, or whose standby took over, may have forgotten a grant and give its database's number again. The
 * database knows for whom it was made. CONFLICT where a database of one's own holds another organization's rows: it is neither
 * to be used nor to be dropped.
 */
async function refuseForgotten(database: TenantDatabase, placement: Meant, tables: readonly Table[]): Promise<void> {
  const others = await database.query("identity.others", othersIn(tables), [placement.organizationId]);
  if (others.length > 0) throw forgotten(placement);
}

/** Finds rows of other organizations than `$1`; of any, where that is null. */
function othersIn(tables: readonly Table[]): string {
  const looked = tables.filter(({ goesWithParent }) => !goesWithParent).map((table) => quoteQualified(table.name));
  return ["tenantry.directory_organizations", ...looked]
    .map((table) => `(select from ${table} where organization_id is distinct from $1 limit 1)`)
    .join(" union all ");
}

function forgotten({ database }: Meant): TenantryError {
  return new TenantryError(
    "CONFLICT",
    `The database ${database} on the region's server is another organization's, whom home has forgotten: rename it, then retry.`,
  );
}
