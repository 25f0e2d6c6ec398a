/** What both sides of a move say of themselves before it begins. Nothing is changed by asking. */
import { z } from "zod";
import type { BatchStatement } from "#base/postgres/batch";
import type { ServerAddress } from "#base/postgres/connection-url";
import { quoteQualified } from "#base/postgres/identifiers";
import type { Placement } from "#engine/home/placements";
import type { Services } from "#engine/services";

/** Rows are counted up to this number; from there on the planner's belief counts. */
const MAX_COUNTED = 100_000;

/** How texts of a database are compared where nothing else is said. */
const collation = z.object({
  provider: z.string(),
  locale: z.string().nullable(),
  ctype: z.string().nullable(),
  version: z.string().nullable(),
});
export type DefaultCollation = z.output<typeof collation>;

const table = z.object({
  name: z.string(),
  /** Whether the replica identity names the organization, by which the stream is filtered. */
  isFiltered: z.boolean(),
  bytes: z.number().min(0),
  estimate: z.number(),
  rows: z.number().int().min(0),
});
export type SourceTable = z.output<typeof table>;

const trigger = z.object({ table: z.string(), name: z.string(), isAlways: z.boolean() });
const extension = z.object({ name: z.string(), version: z.string(), isNeeded: z.boolean() });

export type Source = {
  tables: SourceTable[];
  /** A team's own. */
  triggers: z.output<typeof trigger>[];
  extensions: z.output<typeof extension>[];
  collation: DefaultCollation;
  /** Of PostgreSQL's collations those that columns of the app's tables have. */
  collations: string[];
};

/** Reads the database that the placement is in. Throws what the driver throws. */
export async function readSource(
  { pools, tables }: Pick<Services, "pools" | "tables">,
  address: ServerAddress,
  placement: Pick<Placement, "database" | "databaseId" | "organizationId" | "schemaVersion">,
): Promise<Source> {
  const names = ["tenantry.audit_log", ...tables.at(placement.schemaVersion).tables.map(({ name }) => name)];
  const statements: BatchStatement[] = [
    { text: TRIGGERS },
    { text: EXTENSIONS },
    { text: `${DEFAULT_COLLATION} where d.datname = current_database()` },
    { text: COLLATIONS },
    ...names.map((name) => tableStatement(name, placement)),
  ];
  const [triggers, extensions, defaults, collations, ...found] = await pools.visit(
    "tenant",
    address,
    placement.database,
    (session) => session.batch("moves.source", statements),
  );
  return {
    triggers: z.array(trigger).parse(triggers),
    extensions: z.array(extension).parse(extensions),
    collation: collation.parse(defaults?.[0]),
    collations: z
      .array(z.object({ name: z.string() }))
      .parse(collations)
      .map(({ name }) => name),
    tables: found.flatMap((rows) => z.array(table).parse(rows)),
  };
}

function tableStatement(
  name: string,
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
): BatchStatement {
  // Entries of the audit log keep the number of the database that they were written in.
  const own = name === "tenantry.audit_log" ? "$3::int is not null" : "database_id = $3";
  return {
    text: `select $4::text as name,
       case c.relreplident when 'f' then true when 'n' then false else exists (
         select from pg_catalog.pg_index i join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
         where i.indrelid = c.oid and a.attname = 'organization_id'
           and case c.relreplident when 'i' then i.indisreplident else i.indisprimary end) end as "isFiltered",
       pg_catalog.pg_total_relation_size(c.oid)::float8 as bytes, c.reltuples::float8 as estimate,
       (select count(*)::int from (select from ${quoteQualified(name)} where organization_id = $2 and ${own}
                                   limit ${MAX_COUNTED + 1}) counted) as rows
     from pg_catalog.pg_class c where c.oid = $1::text::regclass`,
    values: [quoteQualified(name), organizationId, databaseId, name],
  };
}

/** How much of the table is the placement's. `isShared`: others have rows in it. */
export function shareOf({ rows, estimate, bytes }: SourceTable, isShared: boolean): { rows: number; bytes: number } {
  if (rows <= MAX_COUNTED) {
    const all = Math.max(estimate, rows, 1);
    return { rows, bytes: isShared ? (bytes * rows) / all : bytes };
  }
  // How many of them are somebody's nobody has counted: it is at most all.
  return { rows: Math.max(rows, Math.round(estimate)), bytes };
}

const IN_APP = `join pg_catalog.pg_class c on c.oid = x.relation and c.relkind in ('r', 'p')
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = 'app'`;

const TRIGGERS = `select format('%I.%I', n.nspname, c.relname) as "table", x.name, x."isAlways"
  from (select tgrelid as relation, tgname::text as name, tgenabled in ('R', 'A') as "isAlways", tgfoid from pg_catalog.pg_trigger
        where not tgisinternal and tgenabled <> 'D') x
  ${IN_APP}
  join pg_catalog.pg_proc f on f.oid = x.tgfoid
  join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace and fn.nspname <> 'tenantry'
  order by 1, 2 limit 100`;

// By a column's type, an element's or an index's operators.
const EXTENSIONS = `select e.extname::text as name, e.extversion as version, exists (
    select from (
      select a.attrelid as relation, t.oid as type, t.typelem as element, null::oid as operators
      from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid where a.attnum > 0
      union all
      select i.indrelid, null, null, o.oid from pg_catalog.pg_index i, unnest(i.indclass) as o (oid)
    ) x
    ${IN_APP}
    join pg_catalog.pg_depend d on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and d.deptype = 'e'
      and (d.classid = 'pg_type'::regclass and d.objid in (x.type, x.element)
           or d.classid = 'pg_opclass'::regclass and d.objid = x.operators)) as "isNeeded"
  from pg_catalog.pg_extension e where e.extname not in ('plpgsql', 'aiven_extras') order by 1 limit 100`;

// The column has another name from 17 on.
const DEFAULT_COLLATION = `select d.datlocprovider::text as provider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate) as locale, d.datctype as ctype,
    pg_catalog.pg_database_collation_actual_version(d.oid) as version
  from pg_catalog.pg_database d`;

const COLLATIONS = `select distinct k.collname::text as name
  from (select attrelid as relation, attcollation from pg_catalog.pg_attribute where attnum > 0 and attcollation <> 0) x
  ${IN_APP}
  join pg_catalog.pg_collation k on k.oid = x.attcollation and k.collname <> 'default'
  join pg_catalog.pg_namespace kn on kn.oid = k.collnamespace and kn.nspname = 'pg_catalog'
  order by 1 limit 100`;

const target = z.object({
  /** Whether the role may have no trigger fire for the rows that it copies. */
  mayHoldTriggers: z.boolean(),
  /** What can be had, of what was asked for. */
  extensions: z.array(z.object({ name: z.string(), version: z.string().nullable() })),
  collations: z.array(z.string()),
});
export type Target = z.output<typeof target> & { collation: DefaultCollation };

/** Reads the server that the placement goes to, in the database that it goes to or that a new one is copied from. */
export async function readTarget(
  { pools }: Pick<Services, "pools">,
  address: ServerAddress,
  { visited, copied }: { visited: string; copied: string },
  { extensions, collations }: Pick<Source, "extensions" | "collations">,
): Promise<Target> {
  const names = extensions.map(({ name }) => name);
  const [answers, defaults] = await pools.visit("tenant", address, visited, (session) =>
    session.batch("moves.target", [
      {
        text: `select pg_catalog.has_parameter_privilege('session_replication_role', 'set') as "mayHoldTriggers",
          (select coalesce(json_agg(json_build_object('name', a.name, 'version', coalesce(e.extversion, a.default_version))), '[]')
           from pg_catalog.pg_available_extensions a left join pg_catalog.pg_extension e on e.extname = a.name
           where a.name in (select json_array_elements_text($1::json))) as extensions,
          (select coalesce(json_agg(distinct k.collname), '[]') from pg_catalog.pg_collation k
           join pg_catalog.pg_namespace n on n.oid = k.collnamespace and n.nspname = 'pg_catalog'
           where k.collname in (select json_array_elements_text($2::json))) as collations`,
        values: [JSON.stringify(names), JSON.stringify(collations)],
      },
      { text: `${DEFAULT_COLLATION} where d.datname = $1`, values: [copied] },
    ]),
  );
  return { ...target.parse(answers?.[0]), collation: collation.parse(defaults?.[0]) };
}
