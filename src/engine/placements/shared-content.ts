/** Taking one placement's rows out of a database that others go on using. */
import type { Placement } from "#engine/home/placements";
import { refersToItself, type TenantTable } from "#engine/tables";
import { TenantryError } from "#base/kernel/errors";
import type { Session, TenantDatabase } from "#base/postgres/database";
import { quoteQualified } from "#base/postgres/identifiers";
import type { OwnedPieces } from "#engine/regions/owned-pieces";
import { inPieces } from "#base/postgres/pieces";

/** Rows deleted by one statement, each with what goes with it. */
const PIECE = 200;

/**
 * Deletes the placement's rows of all tables, piece by piece so that nobody waits long, as long as the region is this home's.
 * CONFLICT when a row is left: it goes no further then.
 */
export async function deleteContent(
  database: TenantDatabase,
  { organizationId }: Pick<Placement, "organizationId">,
  tables: readonly TenantTable[],
  owned: OwnedPieces,
  signal: AbortSignal,
): Promise<void> {
  // Rows that go with others first, by those others: one statement takes a row and all that belongs to it. What is left of a
  // table has no parent.
  const whole = tables.filter(({ goesWithParent }) => !goesWithParent);
  const parts = tables.filter(({ goesWithParent }) => goesWithParent);
  for (const table of [...whole.toReversed(), ...parts.toReversed()])
    await deleteRows(database, table, organizationId, owned, signal);
  for (const { name } of tables) {
    const left = await database.query(
      "content.left",
      `select from ${quoteQualified(name)} where organization_id = $1 limit 1`,
      [organizationId],
    );
    if (left.length > 0)
      throw new TenantryError(
        "CONFLICT",
        `The table ${name} still has rows of the organization: something keeps them from being deleted. It is tried again.`,
      );
  }
}

/**
 * Each piece begins behind the one before: what was deleted stays in the index until VACUUM has run. Rows that refer to rows of
 * their own table go at once: a piece could have what another one refers to.
 */
function deleteRows(
  database: TenantDatabase,
  declared: TenantTable,
  organizationId: string,
  owned: OwnedPieces,
  signal: AbortSignal,
): Promise<void> {
  const table = quoteQualified(declared.name);
  const limit = refersToItself(declared) ? "all" : String(PIECE);
  const deletePiece = async (session: Session<"tenant">, after: string | null) => {
    const [row] = await session.query<{ last: string | null; owned: boolean }>(
      "content.delete",
      `with owned as materialized (select ${owned.isOwned} as yes), piece as materialized (
         select id from ${table} where organization_id = $1 and (select yes from owned)${after === null ? "" : " and id > $2"} order by id limit ${limit}
       ), gone as (
         delete from ${table} where organization_id = $1 and id = any (array(select id from piece))
       )
       select (select yes from owned) as owned, (select id from piece order by id desc limit 1) as last`,
      [organizationId, ...(after === null ? [] : [after])],
    );
    if (row?.owned !== true) return owned.refuse();
    return row.last;
  };
  return inPieces(database, deletePiece, signal);
}

/** The first that is left of the organization's directory in the database, in the order of ids; undefined: nothing is. */
export async function firstLeft(
  database: TenantDatabase,
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
): Promise<string | undefined> {
  const [row] = await database.query<{ id: string }>(
    "directory.first_left",
    `(select user_id as id from tenantry.directory_members where database_id = $1 and organization_id = $2
      order by user_id limit 1)
     union all
     select organization_id from tenantry.directory_organizations where database_id = $1 and organization_id = $2
     limit 1`,
    [databaseId, organizationId],
  );
  return row?.id;
}
