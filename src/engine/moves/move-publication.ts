/** What of a database is published for a move: the placement's rows of every table, whole. */
import { MARKS_TABLE, type MovingTable } from "#engine/border/moved-tables";
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import { PUBLISHED_CHANGES } from "#engine/replication/publication";

export type MovePublication = {
  readonly name: string;
  readonly organizationId: string;
  readonly number: number;
  readonly tables: readonly MovingTable[];
};

/** The rows of a table that are the placement's, in SQL. */
export function rowsOfPlacement({ name }: MovingTable, { organizationId, number }: MovePublication): string {
  return name === MARKS_TABLE ? `number = ${number}` : `organization_id = ${quoteLiteral(organizationId)}`;
}

function filterColumn({ name }: MovingTable): string {
  return name === MARKS_TABLE ? "number" : "organization_id";
}

/** What makes the publication, in place of one that is there, and commits that. TRUNCATE is not published. */
export function remakingPublication(publication: MovePublication): string {
  const { name, tables } = publication;
  const list = tables.map((table) => `${quoteQualified(table.name)} where (${rowsOfPlacement(table, publication)})`);
  return `begin;
     drop publication if exists ${quoteIdentifier(name)};
     create publication ${quoteIdentifier(name)} for table ${list.join(", ")}
       with (publish = '${PUBLISHED_CHANGES.join(", ")}');
     commit`;
}

/** Whether the publication is there with its tables, and lets the placement's rows out. */
export async function publicationIsWhole(
  database: Queryable<DatabaseKind>,
  { name, organizationId, number, tables }: MovePublication,
): Promise<boolean> {
  const rows = await database.query<{ name: string; filter: string | null }>(
    "moves.publication",
    `select t.schemaname || '.' || t.tablename as name, t.rowfilter as filter
     from pg_publication p join pg_publication_tables t on t.pubname = p.pubname
     where p.pubname = $1 and p.pubinsert and p.pubupdate and p.pubdelete and not p.pubtruncate and not p.puballtables`,
    [name],
  );
  // How a filter is printed is each server's own.
  const wanted = (table: MovingTable) => (table.name === MARKS_TABLE ? String(number) : organizationId);
  return (
    rows.length === tables.length &&
    tables.every((table) => rows.find((row) => row.name === table.name)?.filter?.includes(wanted(table)) === true)
  );
}

/**
 * Throws CONFLICT with the table's name where an update or a deletion could not say whose row it is: once such a table is
 * published, PostgreSQL refuses to change its rows.
 */
export async function requireIdentities(
  database: Queryable<DatabaseKind>,
  { tables }: Pick<MovePublication, "tables">,
): Promise<void> {
  const [lacking] = await database.query<{ name: string; column: string; exists: boolean }>(
    "moves.identities",
    `select w.name, w.column, c.oid is not null as exists
     from unnest($1::text[], $2::text[]) with ordinality as w (name, "column", position)
     left join pg_class c on c.oid = to_regclass(w.name)
     where c.oid is null or c.relreplident <> 'f' and not exists (
       select from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey) and a.attname = w.column
       where i.indrelid = c.oid and case c.relreplident when 'd' then i.indisprimary else i.indisreplident end)
     order by w.position limit 1`,
    [tables.map(({ name }) => name), tables.map(filterColumn)],
  );
  if (lacking === undefined) return;
  throw new TenantryError(
    "CONFLICT",
    lacking.exists
      ? `The replica identity of ${lacking.name} lacks ${lacking.column}, so its rows cannot be moved: migrate the database.`
      : `The table ${lacking.name} is missing in the database that the placement moves from: migrate the database.`,
  );
}
