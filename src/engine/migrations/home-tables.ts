/**
 * The app's tables at home only are in schema `home`. A migration of them may change nothing else: what it did is looked at before
 * it is committed. This finds mistakes and is no defence, as whoever writes migrations may write anything.
 */
import { TenantryError } from "#base/kernel/errors";
import { describeHere, type SchemaDescription } from "#engine/migrations/fingerprint";
import type { Migration } from "#engine/migrations/migration-set";
import { diffSchema } from "#engine/migrations/schema-difference";
import type { DatabaseKind, Queryable } from "#base/postgres/database";

/** What is not the app's to change from there. */
const NOT_TO_BE_CHANGED = ["tenantry", "tenantry_inbox", "app", "catalog"];

/** What there was before a migration of schema `home`. */
export type HomeBefore = { readonly schema: SchemaDescription; readonly writes: ReadonlyMap<string, number> };

/** Reads what there is, in the migration's transaction and before it. */
export async function readBefore(session: Queryable<DatabaseKind>): Promise<HomeBefore> {
  const [row] = await session.query<{ path: string }>(
    "home_tables.path",
    "select current_setting('search_path') as path",
  );
  const schema = await describeHere(session);
  const writes = await countWrites(session);
  await session.query("home_tables.path_back", "select set_config('search_path', $1, true)", [row?.path]);
  return { schema, writes };
}

/** Throws INVALID_INPUT with one sentence where the migration did something outside of schema `home`; it is not committed then. */
export async function refuseOutside(
  session: Queryable<DatabaseKind>,
  { file }: Migration,
  before: HomeBefore,
): Promise<void> {
  const refuse = (what: string) => new TenantryError("INVALID_INPUT", `${file} of migrations.home ${what}.`);
  const [after, writes] = [outside(await describeHere(session)), await countWrites(session)];
  const [changed] = diffSchema(outside(before.schema), after);
  if (changed !== undefined)
    throw refuse(
      `changes what is not its own (${changed}): it may make and change what is in schema home, and nothing else`,
    );
  const written = [...writes].find(([table, count]) => count !== (before.writes.get(table) ?? 0));
  if (written !== undefined) throw refuse(`writes into ${written[0]}: it may write into tables of schema home only`);
  const [stray] = await findStray(session);
  if (stray !== undefined) throw refuse(`makes ${stray}: make it in schema home`);
  const [tied] = await findTies(session);
  if (tied !== undefined)
    throw refuse(
      `ties ${tied.from} to ${tied.to}: keep the id in a column, without a foreign key, a view or a function on it`,
    );
}

/** Without what is the app's at home. */
function outside({ facts, fingerprint }: SchemaDescription): SchemaDescription {
  const isOwn = (name: string) => name === "home" || name.startsWith("home.");
  return { facts: facts.filter(({ owner, name }) => !isOwn(owner === "" ? name : owner)), fingerprint };
}

/** How many rows were written, by table. What came before in the session may be among it. */
async function countWrites(session: Queryable<DatabaseKind>): Promise<Map<string, number>> {
  const rows = await session.query<{ table: string; count: number }>(
    "home_tables.writes",
    `select schemaname || '.' || relname as "table", (n_tup_ins + n_tup_upd + n_tup_del)::float8 as count
     from pg_stat_xact_all_tables where schemaname = any($1) and n_tup_ins + n_tup_upd + n_tup_del > 0 order by 1`,
    [NOT_TO_BE_CHANGED],
  );
  return new Map(rows.map(({ table, count }) => [table, count]));
}

/** Tables and views that this transaction has made in other schemas; not those of extensions. */
async function findStray(session: Queryable<DatabaseKind>): Promise<string[]> {
  const rows = await session.query<{ name: string }>(
    "home_tables.stray",
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'f', 'v', 'm') and c.relpersistence <> 't' and c.xmin = pg_current_xact_id()::xid
       and n.nspname <> 'home' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
       and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
       and n.nspname <> all($1)
     order by 1`,
    [NOT_TO_BE_CHANGED],
  );
  return rows.map(({ name }) => name);
}

/** What of schema `home` depends on tables of the others: it would be in the way of their migrations, or show their rows. */
function findTies(session: Queryable<DatabaseKind>): Promise<{ from: string; to: string }[]> {
  return session.query(
    "home_tables.ties",
    `select distinct coalesce(k.conrelid::regclass::text, w.ev_class::regclass::text, f.oid::regprocedure::text) as "from",
       t.oid::regclass::text as "to"
     from pg_depend d
     join pg_class t on d.refclassid = 'pg_class'::regclass and t.oid = d.refobjid
     join pg_namespace n on n.oid = t.relnamespace and n.nspname = any($1)
     left join pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
     left join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
     left join pg_class v on v.oid = w.ev_class
     left join pg_proc f on d.classid = 'pg_proc'::regclass and f.oid = d.objid
     where 'home'::regnamespace in (k.connamespace, v.relnamespace, f.pronamespace) order by 1, 2`,
    [NOT_TO_BE_CHANGED],
  );
}
