/** Taking a person's id out of the columns that are declared as a user's, in one database, whosever rows these are. */
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import type { OwnedPieces } from "#engine/regions/owned-pieces";
import type { TenantTable } from "#engine/tables";

/** An erasure: whose, and its own id, a UUIDv7. */
export type Erasure = { readonly userId: string; readonly id: string };

/** Pages of a table that one statement reads. Each is 8 kB as a rule; how many it is next goes by how many rows it changed. */
const FIRST_PAGES = 16;
const MAX_PAGES = 1_024;
const MANY_ROWS = 5_000;

/** Passes over a table. The last one changes nothing; more than a few are needed only while somebody writes the id again. */
const MAX_PASSES = 20;

/**
 * Takes the id out: null where the column takes null, else an id of nobody, another one for each row, so that keys which name
 * the column hold. Each organization whose rows it changes gets one entry in its audit log, and no row does: an entry for each
 * would say who had written it. Linear in the table's rows, whatever its indexes are. Run again it goes on. NOT_SYNCED when rows
 * with the id keep coming. `owned`: each piece is written as long as the region is this home's; undefined at home.
 */
export async function eraseColumns(
  database: Queryable<DatabaseKind>,
  tables: readonly TenantTable[],
  erasure: Erasure,
  owned?: OwnedPieces,
): Promise<void> {
  for (const table of tables) {
    const columns = await findUserColumns(database, table);
    if (columns.length === 0) continue;
    const statement = pieceStatement(database.kind, table.name, columns, owned?.isOwned ?? "true");
    let passes = 0;
    while ((await changeAll(database, table.name, statement, { erasure, owned })) > 0) {
      passes += 1;
      if (passes >= MAX_PASSES)
        throw new TenantryError("NOT_SYNCED", `Rows of ${table.name} with the erased user's id keep coming.`);
    }
  }
}

type UserColumn = { name: string; required: boolean };

/** As the database has them: one of an older version may lack some. */
function findUserColumns(
  database: Queryable<DatabaseKind>,
  { name, personal }: TenantTable,
): Promise<UserColumn[]> | UserColumn[] {
  const declared = personal.filter(({ holds }) => holds === "user").map(({ column }) => column);
  if (declared.length === 0) return [];
  return database.query<UserColumn>(
    "erasure.columns",
    `select attname as name, attnotnull as required from pg_attribute
     where attrelid = to_regclass($1) and attname = any($2) and not attisdropped order by attnum`,
    [quoteQualified(name), declared],
  );
}

/** Pages are named by what PostgreSQL calls a row's place, so that none is read twice in a pass. */
function pieceStatement(kind: DatabaseKind, name: string, columns: readonly UserColumn[], isOwned: string): string {
  const values = columns.map(({ name: column, required }) => {
    const quoted = quoteIdentifier(column);
    return `${quoted} = case when ${quoted} = $3 then ${required ? "gen_random_uuid()" : "null"} else ${quoted} end`;
  });
  const matches = columns.map(({ name: column }) => `${quoteIdentifier(column)} = $3`);
  // At home the call of the operator has an entry.
  const logged = `, logged as (
       insert into tenantry.audit_log (id, database_id, organization_id, who, via, action, subject_kind, subject_id)
       select distinct $4::uuid, tenantry.database_id(), organization_id, 'OPERATOR', 'JOB', 'eraseUser', 'USER', $3::uuid
       from changed on conflict do nothing)`;
  return `with owned as materialized (select ${isOwned} as yes), changed as (
       update ${quoteQualified(name)} set ${values.join(", ")}
       where (select yes from owned) and ctid >= $1::tid and ctid < $2::tid and (${matches.join(" or ")})
       returning organization_id)${kind === "home" ? "" : logged}
     select (select yes from owned) as owned,
            (select count(*)::int from changed${kind === "home" ? " where $4::uuid is not null" : ""}) as rows`;
}

/** One pass over the table. Returns how many rows it has changed. */
async function changeAll(
  database: Queryable<DatabaseKind>,
  name: string,
  statement: string,
  { erasure: { userId, id }, owned }: { erasure: Erasure; owned: OwnedPieces | undefined },
): Promise<number> {
  let changed = 0;
  await inPieces(database, name, async (from, to) => {
    const values = [from, to, userId, id];
    const [row] = await database.query<{ rows: number; owned: boolean }>("erasure.piece", statement, values);
    if (owned !== undefined && row?.owned !== true) return owned.refuse();
    changed += row?.rows ?? 0;
    return row?.rows ?? 0;
  });
  return changed;
}

/** Which of these users have an id in one of the declared columns. One pass over each table, however many users there are. */
export async function findPresent(
  database: Queryable<DatabaseKind>,
  tables: readonly TenantTable[],
  userIds: readonly string[],
): Promise<Set<string>> {
  const present = new Set<string>();
  for (const table of tables) {
    const columns = (await findUserColumns(database, table)).map(({ name }) => quoteIdentifier(name));
    if (columns.length === 0) continue;
    const statement = `select distinct found.id from ${quoteQualified(table.name)} t
       cross join lateral (values ${columns.map((column) => `(t.${column})`).join(", ")}) as found (id)
       where t.ctid >= $1::tid and t.ctid < $2::tid and found.id = any($3::uuid[])`;
    await inPieces(database, table.name, async (from, to) => {
      const rows = await database.query<{ id: string }>("erasure.present", statement, [from, to, userIds]);
      for (const { id } of rows) present.add(id);
      return rows.length;
    });
  }
  return present;
}

/** Reads a table from its first page to what is its last one now. `work` is given the places and returns how many rows it had. */
async function inPieces(
  database: Queryable<DatabaseKind>,
  name: string,
  work: (from: string, to: string) => Promise<number>,
): Promise<void> {
  const [size] = await database.query<{ pages: number }>(
    "erasure.pages",
    `select ceil(pg_relation_size(to_regclass($1)) / current_setting('block_size')::numeric)::float8 as pages`,
    [quoteQualified(name)],
  );
  const last = size?.pages ?? 0;
  let pages = FIRST_PAGES;
  for (let from = 0; from < last; ) {
    const to = from + pages;
    const rows = await work(`(${from},0)`, `(${to},0)`);
    pages = rows > MANY_ROWS ? Math.max(1, Math.floor(pages / 4)) : Math.min(pages * 2, MAX_PAGES);
    from = to;
  }
}
