/**
 * Taking what a placement left at home away. There can be very many rows, so they go in pieces; each part can run again after a
 * crash. The placement itself goes last.
 */
import type { Placement } from "#engine/home/placements";
import type { HomeDatabase, Session } from "#base/postgres/database";
import { inPieces } from "#base/postgres/pieces";

/** Rows that one statement goes through; the guard takes a row of the inbox out of the catalog in some 20 µs. */
const PIECE_ROWS = 5_000;

/**
 * Takes the organization and its members out of what the placement's database is told, before the placement itself goes. For
 * a database that stays.
 */
export async function unprojectPlacement(
  { home }: { home: HomeDatabase },
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
  signal: AbortSignal,
): Promise<void> {
  await home.transaction(async (transaction) => {
    // As the triggers do (engine/schema/home/0001_home.sql). Who joins from now on is not projected any more, so the members
    // can go without a lock.
    await transaction.query("placements.lock", "select from tenantry.organizations where id = $1 for update", [
      organizationId,
    ]);
    await transaction.query(
      "placements.unproject",
      "delete from tenantry.directory_organizations where database_id = $1 and organization_id = $2",
      [databaseId, organizationId],
    );
  });
  const unprojectPiece = async (session: Session<"home">, after: string | null) => {
    const [row] = await session.query<{ last: string }>(
      "placements.unproject_members",
      `with piece as materialized (
         select user_id from tenantry.directory_members
         where database_id = $1 and organization_id = $2${after === null ? "" : " and user_id > $3"}
         order by user_id limit ${PIECE_ROWS}
       ), gone as (
         delete from tenantry.directory_members
         where database_id = $1 and organization_id = $2 and user_id = any (array(select user_id from piece))
       )
       select user_id as last from piece order by user_id desc limit 1`,
      [databaseId, organizationId, ...(after === null ? [] : [after])],
    );
    return row?.last ?? null;
  };
  await inPieces(home, unprojectPiece, signal);
}

/**
 * Removes a placement, its catalog and its directory rows; with its tenant database's record when that is gone as a whole. Nothing
 * of the placement may arrive any more.
 */
export async function forgetPlacement(
  { home }: { home: HomeDatabase },
  { id, number, databaseId, organizationId }: Pick<Placement, "id" | "number" | "databaseId" | "organizationId">,
  { withDatabase, signal }: { withDatabase: boolean; signal: AbortSignal },
): Promise<void> {
  // First: the guard takes no row of an organization that is not in the directory.
  await unprojectPlacement({ home }, { databaseId, organizationId }, signal);
  await forgetInbox({ home }, { databaseId, organizationId: withDatabase ? null : organizationId }, signal);
  // Where the inbox has lost a row, the guard has not taken it out.
  await forgetCatalog(home, number, signal);
  await home.transaction(async (transaction) => {
    // Before the placement, as everybody does: the organization may go with it.
    await transaction.query("organizations.lock", "select from tenantry.organizations where id = $1 for update", [
      organizationId,
    ]);
    await transaction.query("placements.forget", "delete from tenantry.placements where id = $1", [id]);
    if (!withDatabase) return;
    await transaction.query("placements.forget_database", "delete from tenantry.tenant_databases where id = $1", [
      databaseId,
    ]);
    await transaction.query(
      "placements.forget_changes",
      "delete from tenantry.directory_changes where database_id = $1",
      [databaseId],
    );
  });
}

/** The tables of the catalog, or of the inbox, with their schema. */
async function listCatalogTables(home: HomeDatabase, schema: "catalog" | "tenantry_inbox"): Promise<string[]> {
  const tables = await home.query<{ name: string }>(
    "placements.catalog_tables",
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind = 'r' order by c.relname`,
    [schema],
  );
  return tables.map(({ name }) => name);
}

/** Takes what the catalog has of a placement, by its number. */
async function forgetCatalog(home: HomeDatabase, number: number, signal: AbortSignal): Promise<void> {
  for (const name of await listCatalogTables(home, "catalog")) {
    const piece = async (session: Session<"home">, after: string | null) => {
      const [row] = await session.query<{ last: string }>(
        "placements.forget_catalog",
        `with piece as materialized (
           select id from ${name} where placement_number = $1${after === null ? "" : " and id > $2"} order by id limit ${PIECE_ROWS}
         ), gone as (
           delete from ${name} where placement_number = $1 and id = any (array(select id from piece))
         )
         select id as last from piece order by id desc limit 1`,
        [number, ...(after === null ? [] : [after])],
      );
      return row?.last ?? null;
    };
    await inPieces(home, piece, signal);
  }
}

/**
 * Takes what an organization sent out of a database's inbox, or what the whole database sent, and out of the catalog what is there
 * of it: nothing where the placement is in another database by now. A row that was refused does not say whose it was: where the
 * database stays, it goes when the region deletes it or with the next seed.
 */
export async function forgetInbox(
  { home }: { home: HomeDatabase },
  of: { databaseId: number; organizationId: string | null },
  signal: AbortSignal,
): Promise<void> {
  for (const name of await listCatalogTables(home, "tenantry_inbox")) {
    const piece = async (session: Session<"home">, after: string | null) => {
      // The inbox takes nothing from anybody who does not say for which database (engine/schema/home/0001_home.sql).
      if (after === null)
        await session.script("placements.catalog_sender", `set tenantry.catalog_sender = ${of.databaseId}`);
      const last = await forgetPiece(session, name, of, after);
      if (last === null) await session.script("placements.catalog_sender", "reset tenantry.catalog_sender");
      return last;
    };
    await inPieces(home, piece, signal);
  }
}

/** All rows of the database are passed, in the order of its key: nothing else leads to those of one organization in the inbox. */
async function forgetPiece(
  session: Session<"home">,
  table: string,
  { databaseId, organizationId }: { databaseId: number; organizationId: string | null },
  after: string | null,
): Promise<string | null> {
  const [row] = await session.query<{ last: string }>(
    "placements.forget_inbox",
    `with piece as materialized (
       select id from ${table} where database_id = $1${after === null ? "" : " and id > $3"} order by id limit ${PIECE_ROWS}
     ), gone as (
       delete from ${table}
       where database_id = $1 and id = any (array(select id from piece)) and ($2::uuid is null or organization_id = $2)
     )
     select id as last from piece order by id desc limit 1`,
    [databaseId, organizationId, ...(after === null ? [] : [after])],
  );
  return row?.last ?? null;
}
