/**
 * What a database's schemas `tenantry` and `app` are, and `catalog`, `tenantry_inbox` and `home` at home, read from its catalogs in one statement. Its hash is the fingerprint.
 * The texts are the server's own, and another version of PostgreSQL may print the same schema otherwise: compare what one
 * server says only. Publications belong to links, and owners to the server's roles: both are left out.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { TenantryError } from "#base/kernel/errors";
import type { Migration } from "#engine/migrations/migration-set";
import { type Applied, READ_APPLIED } from "#engine/migrations/applied";
import type { Database, DatabaseKind, Queryable, Session } from "#base/postgres/database";

/** One thing of the schema: a table, or something of a table or a function (`owner`), and how it is defined. */
export type SchemaFact = {
  readonly kind: string;
  /** What it belongs to; empty for what belongs to nothing. */
  readonly owner: string;
  readonly name: string;
  readonly definition: string;
};

export type SchemaDescription = { readonly facts: readonly SchemaFact[]; readonly fingerprint: string };

/** What a database is now, by itself. */
export type ActualSchema = SchemaDescription & {
  /** The facts as the server has given them, for {@link describeLines}. */
  readonly lines: readonly string[];
  /** The migrations that it says it has. */
  readonly applied: readonly Applied[];
  /** Of the server that has printed it, as `server_version_num`. */
  readonly serverVersion: number;
};

/** A region's server can say anything, and what it says is kept. Ours has some 600 facts, of 150,000 characters. */
const MAX_LINES = 50_000;
const MAX_LENGTH = 8_000_000;

function strangeAnswer(): TenantryError {
  return new TenantryError(
    "REGION_UNAVAILABLE",
    "The server answered with something else than a schema of Tenantry's.",
  );
}

const lineSchema = z.tuple([z.string(), z.string(), z.string(), z.string()]);

/**
 * One JSON array a line, sorted by bytes: the order must not depend on the database's collation. NOT NULL is read from
 * the columns. Indexes that belong to a constraint are its definition. A grant to the owner says nothing.
 */
const FACTS = `
  with space as materialized (
    select *, case nspname when 'tenantry' then '' else nspname || '.' end as prefix from pg_namespace
    where nspname in ('tenantry', 'app', 'catalog', 'tenantry_inbox', 'home')
  ),
  relation as materialized (
    select c.*, s.prefix || c.relname as shown from pg_class c join space s on s.oid = c.relnamespace
  ),
  routine as materialized (
    select f.*, s.prefix || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' as shown
    from pg_proc f join space s on s.oid = f.pronamespace
  ),
  kind_of_type as materialized (
    select t.*, s.prefix || t.typname as shown
    from pg_type t join space s on s.oid = t.typnamespace where t.typtype in ('e', 'd', 'r')
  ),
  granted (owner, holder, acl, part) as (
    select nspname::text, nspowner, coalesce(nspacl, acldefault('n', nspowner)), '' from space
    union all
    select shown, relowner,
           coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)), ''
    from relation where relkind in ('r', 'p', 'f', 'v', 'm', 'S')
    union all
    select r.shown, r.relowner, a.attacl, ' (' || a.attname || ')'
    from relation r join pg_attribute a on a.attrelid = r.oid
    where a.attacl is not null and a.attnum > 0 and not a.attisdropped
    union all
    select shown, proowner, coalesce(proacl, acldefault('f', proowner)), '' from routine
    union all
    select shown, typowner, coalesce(typacl, acldefault('T', typowner)), '' from kind_of_type
  ),
  fact (kind, owner, name, definition) as (
    select 'schema', '', nspname::text, '' from space
    union all
    select case r.relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'view' else 'table' end,
           '', r.shown,
           concat_ws(', ', case when r.relkind not in ('r', 'S') then 'kind ' || r.relkind::text end,
             case when r.relpersistence <> 'p' then 'unlogged' end,
             case when r.relreplident <> 'd' and r.relkind = 'r' then concat_ws(' ', 'replica identity ' || r.relreplident::text,
               (select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = r.oid and x.indisreplident)) end,
             case when r.relrowsecurity then 'row security' end,
             case when r.relforcerowsecurity then 'forced row security' end,
             (select 'inherits from ' || string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
              from pg_inherits i where i.inhrelid = r.oid),
             case when r.relkind in ('v', 'm') then
               concat_ws(' ', 'with (' || array_to_string(r.reloptions, ', ') || ')', pg_get_viewdef(r.oid)) end,
             (select format('%s from %s, by %s, %s to %s', format_type(q.seqtypid, null), q.seqstart, q.seqincrement,
                q.seqmin, q.seqmax) || case when q.seqcycle then ', cycle' else '' end
              from pg_sequence q where q.seqrelid = r.oid))
    from relation r where r.relkind in ('r', 'p', 'f', 'v', 'm', 'S')
    union all
    select 'column', r.shown, a.attname::text,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod),
             case when a.attcollation <> 0 and a.attcollation <> t.typcollation
               then 'collate ' || a.attcollation::regcollation::text end,
             case when a.attnotnull then 'not null' end,
             case a.attidentity when 'a' then 'generated always as identity'
                                when 'd' then 'generated by default as identity' end,
             case a.attgenerated when 's' then 'generated, stored' when 'v' then 'generated, virtual' end,
             case when a.atthasdef then 'default ' || (
               select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d
               where d.adrelid = a.attrelid and d.adnum = a.attnum) end)
    from relation r join pg_attribute a on a.attrelid = r.oid join pg_type t on t.oid = a.atttypid
    where r.relkind in ('r', 'p', 'f') and a.attnum > 0 and not a.attisdropped
    union all
    select 'constraint', r.shown, k.conname::text, pg_get_constraintdef(k.oid)
           || case when exists (select from pg_trigger g where g.tgconstraint = k.oid and g.tgenabled = 'D')
                   then ', with its triggers disabled' else '' end
    from relation r join pg_constraint k on k.conrelid = r.oid
    where k.contype in ('p', 'u', 'x', 'c', 'f')
    union all
    select 'index', r.shown, i.relname::text,
           pg_get_indexdef(x.indexrelid) || case when x.indisvalid then '' else ' invalid' end
    from relation r join pg_index x on x.indrelid = r.oid join relation i on i.oid = x.indexrelid
    where not exists (
      select from pg_constraint k
      where k.conrelid = r.oid and k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))
    union all
    select 'trigger', r.shown, g.tgname::text,
           pg_get_triggerdef(g.oid) || case g.tgenabled when 'O' then '' when 'R' then ', on replication only'
                                       when 'A' then ', always' else ', disabled' end
    from relation r join pg_trigger g on g.tgrelid = r.oid where not g.tgisinternal
    union all
    select 'rule', r.shown, w.rulename::text, pg_get_ruledef(w.oid)
    from relation r join pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN'
    union all
    select 'policy', r.shown, p.polname::text,
           concat_ws(' ', case when p.polpermissive then 'permissive' else 'restrictive' end, 'for ' || case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                                          when 'd' then 'delete' else 'all' end,
             'to ' || (select string_agg(case one when 0 then 'public' when r.relowner then 'the owner'
                                         else pg_get_userbyid(one)::text end, ', ' order by one)
                       from unnest(p.polroles) as one),
             'using ' || pg_get_expr(p.polqual, p.polrelid), 'with check ' || pg_get_expr(p.polwithcheck, p.polrelid))
    from relation r join pg_policy p on p.polrelid = r.oid
    union all
    select 'statistics', r.shown, x.stxname::text, pg_get_statisticsobjdef(x.oid)
    from relation r join pg_statistic_ext x on x.stxrelid = r.oid
    union all
    select 'function', '', f.shown,
           concat_ws(' ', '(' || pg_get_function_arguments(f.oid) || ')', 'returns ' || pg_get_function_result(f.oid),
             'language ' || l.lanname, case f.provolatile when 'i' then 'immutable' when 's' then 'stable' end, 'parallel ' || f.proparallel::text,
             case when f.prosecdef then 'security definer' end, case when f.proisstrict then 'strict' end,
             case when f.proleakproof then 'leakproof' end, array_to_string(f.proconfig, ', '))
           || ' as ' || coalesce(pg_get_function_sqlbody(f.oid), f.prosrc)
    from routine f join pg_language l on l.oid = f.prolang
    union all
    select 'type', '', t.shown,
           concat_ws(' ', nullif(format_type(t.typbasetype, t.typtypmod), '-'),
             case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
             (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
             (select string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), ', ' order by k.conname)
              from pg_constraint k where k.contypid = t.oid and k.contype = 'c'),
             (select 'of ' || format_type(n.rngsubtype, null) from pg_range n where n.rngtypid = t.oid))
    from kind_of_type t
    union all
    select 'grant', g.owner,
           lower(e.privilege_type collate "C") || g.part || ' to '
             || case e.grantee when 0 then 'public' else pg_get_userbyid(e.grantee)::text end,
           case when bool_or(e.is_grantable) then 'with grant option' else '' end
    from granted g, aclexplode(g.acl) e where e.grantee <> g.holder
    group by 1, 2, 3
  ),
  line (text) as (
    select json_build_array(kind, owner, name, definition)::text collate "C" from fact
  )`;

// Names inside definitions are written with their schema unless it is searched, which a role's setting may change.
const PATH = "set local search_path = pg_catalog";

/** To send in one message with what comes before it: the last statement but one gives the fingerprint. */
export const FINGERPRINT_SCRIPT = `
  begin read only; ${PATH};
  ${FACTS}
  select encode(sha256(convert_to(coalesce(string_agg(text, E'\\n' order by text), ''), 'UTF8')), 'hex') as fingerprint
  from line;
  commit`;

/** The rows of the statement in {@link FINGERPRINT_SCRIPT} that gives the fingerprint. */
export function fingerprintIn(results: readonly object[][]): string {
  const row = results.flat().find((candidate) => "fingerprint" in candidate);
  if (row === undefined || !("fingerprint" in row) || typeof row.fingerprint !== "string")
    throw new Error("the fingerprint is missing");
  // It is stored at home.
  if (!/^[0-9a-f]{64}$/.test(row.fingerprint)) throw strangeAnswer();
  return row.fingerprint;
}

/** Reads what the schema is now. */
export function describeSchema<Kind extends DatabaseKind>(database: Database<Kind>): Promise<ActualSchema> {
  return database.session((session) => describeSchemaIn(session));
}

/** The same in a session that is open, in one message. */
export async function describeSchemaIn(session: Session<DatabaseKind>): Promise<ActualSchema> {
  return describedIn(await session.script("schema.describe", DESCRIBE_SCRIPT));
}

/** To send in one message with what comes before it; {@link describedIn} reads what it gave. */
export const DESCRIBE_SCRIPT = `
  begin read only; ${PATH};
  select current_setting('server_version_num')::int as "serverVersion";
  ${READ_APPLIED};
  ${FACTS} select text as line from line order by text;
  commit`;
const DESCRIBE_STATEMENTS = 6;

/** What a message has found whose last part was {@link DESCRIBE_SCRIPT}. */
export function describedIn(all: readonly object[][]): ActualSchema {
  const results = all.slice(-DESCRIBE_STATEMENTS);
  const rows = results.flat();
  if (rows.length > MAX_LINES) throw strangeAnswer();
  const lines = rows.flatMap((row) => ("line" in row && typeof row.line === "string" ? [row.line] : []));
  const version = rows.find((row) => "serverVersion" in row);
  return {
    ...describeLines(lines),
    lines,
    applied: rows.filter((row): row is Applied => "checksum" in row),
    serverVersion: Number(version?.serverVersion),
  };
}

/** The same in a transaction that goes on: what names are searched in is another thing afterwards. */
export async function describeHere(session: Queryable<DatabaseKind>): Promise<SchemaDescription> {
  await session.query("schema.path", PATH);
  const rows = await session.query<{ line: string }>(
    "schema.lines",
    `${FACTS} select text as line from line order by text`,
  );
  return describeLines(rows.map(({ line }) => line));
}

/** What was read earlier. */
export function describeLines(lines: readonly string[]): SchemaDescription {
  const length = lines.reduce((sum, line) => sum + line.length, 0);
  if (lines.length > MAX_LINES || length > MAX_LENGTH) throw strangeAnswer();
  const facts = lines.map((line): SchemaFact => {
    const [kind, owner, name, definition] = lineSchema.parse(JSON.parse(line));
    return { kind, owner, name, definition };
  });
  return { facts, fingerprint: createHash("sha256").update(lines.join("\n")).digest("hex") };
}

/**
 * Which schema these migrations lead to, in few characters: equal where the descriptions are, on one server. Another API role
 * has other grants, and another program may read other things.
 */
export function digestOf(migrations: readonly Migration[], apiRole: string): string {
  const had = migrations.map(({ part, number, checksum }) => `${part} ${number} ${checksum}`);
  return createHash("sha256")
    .update([FACTS, apiRole, ...had].join("\n"))
    .digest("hex");
}
