/** What of a tenant database belongs to a placement: the tables that a move carries. */
import type { Role } from "#engine/border/protocol/moved-rows";
import type { ReadTable } from "#engine/border/protocol/pgoutput";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import type { DeclaredTables } from "#engine/tables";
import type { DatabaseKind, Queryable } from "#base/postgres/database";

/** Whoever wants to know how far a move's stream is writes a mark into it. */
export const MARKS_TABLE = "tenantry.move_marks";
export const AUDIT_TABLE = "tenantry.audit_log";

/** A table that a move carries. */
export type MovingTable = {
  /** With its schema. */
  readonly name: string;
  /** The columns that say whose a row is. */
  readonly roles: Readonly<Record<string, Role>>;
};

/** The tables of a schema version that hold what belongs to a placement; null: of the latest. */
export function movingTables(tables: DeclaredTables, version: SchemaVersion | null): MovingTable[] {
  return [
    ...tables.at(version).tables.map(({ name, idsRoute }): MovingTable => {
      const roles = { database_id: "database", organization_id: "organization" } as const;
      return { name, roles: idsRoute ? { ...roles, id: "id" } : roles };
    }),
    // An entry stays one of the database in which it was written: followers tell by it of whose transaction it is.
    { name: AUDIT_TABLE, roles: { organization_id: "organization" } },
    { name: MARKS_TABLE, roles: { number: "number" } },
  ];
}

/** The same with their columns, as the database that subscribes has them. Without those that it computes itself. */
export async function readMovingTables(
  subscriber: Queryable<DatabaseKind>,
  moving: readonly MovingTable[],
): Promise<ReadTable[]> {
  const rows = await subscriber.query<{ name: string; columns: string[] }>(
    "moves.columns",
    `select n.nspname || '.' || c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname || '.' || c.relname = any($1) and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     group by 1`,
    [moving.map(({ name }) => name)],
  );
  return moving.map(({ name, roles }) => ({
    table: name.slice(name.indexOf(".") + 1),
    from: name,
    into: name,
    key: Object.keys(roles),
    columns: rows.find((row) => row.name === name)?.columns ?? [],
    roles,
  }));
}
