/** The tables that a move takes along, and which of their rows. */
import type { Queryable, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import type { TenantTable } from "#engine/tables";

/** One of the two databases of a move. */
export type Side = { readonly database: TenantDatabase; readonly databaseId: number };

/** What moves: the organization's rows of one placement. */
export type Moved = { readonly organizationId: string; readonly number: number };

export type MovedTable = {
  readonly name: string;
  /** Whether columns of it flow to home's catalog. */
  readonly flows: boolean;
  /**
   * Whether rows have the number of the database that they are in. Entries of the audit log keep that of the database in which
   * they were written.
   */
  readonly isRenumbered: boolean;
};

export const AUDIT_TABLE = "tenantry.audit_log";

/** A table comes after those that it refers to; the audit log comes last. */
export function movedTables(declared: readonly Pick<TenantTable, "name" | "catalog">[]): MovedTable[] {
  return [
    ...declared.map(({ name, catalog }) => ({ name, flows: catalog !== null, isRenumbered: true })),
    { name: AUDIT_TABLE, flows: false, isRenumbered: false },
  ];
}

/** In SQL, of a row `t`: whether it is one of the organization's. */
export function isMoved({ organizationId }: Pick<Moved, "organizationId">, table: MovedTable, side: Side): string {
  const own = `t.organization_id = ${quoteLiteral(organizationId)}::uuid`;
  return table.isRenumbered ? `t.database_id = ${Math.trunc(side.databaseId)} and ${own}` : own;
}

/**
 * The columns of each table that are stored, in their order. What is generated is computed by each server for itself, also where
 * versions compute it differently.
 */
export async function storedColumns(
  database: Queryable<"tenant">,
  tables: readonly MovedTable[],
): Promise<Map<string, string[]>> {
  const rows = await database.query<{ table: string; columns: string[] }>(
    "moves.columns",
    `select n.name as "table", array_agg(a.attname::text order by a.attnum) as columns
     from unnest($1::text[], $2::text[]) as n (name, quoted) join pg_attribute a on a.attrelid = to_regclass(n.quoted)
     where a.attnum > 0 and not a.attisdropped and a.attgenerated = '' group by 1`,
    [tables.map(({ name }) => name), tables.map(({ name }) => quoteQualified(name))],
  );
  return new Map(rows.map(({ table, columns }) => [table, columns]));
}

export function listColumns(columns: readonly string[], of = ""): string {
  return columns.map((column) => of + quoteIdentifier(column)).join(", ");
}
