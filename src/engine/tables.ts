/**
 * What the app's migrations say about its tables, by schema version: which hold tenants' rows, which columns flow to the
 * catalog, what is about people. The calls in the migrations are the truth; home has run them, so it is asked.
 */
import { TenantryError } from "#base/kernel/errors";
import type { Migration, MigrationSet } from "#engine/migrations/migration-set";
import { describeVersion, isBeyond, latestOf, type SchemaVersion } from "#engine/migrations/schema-version";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { SQL_STATE, sqlState, violatedConstraint } from "#base/postgres/sql-state";
import type { Flows, PublishedTable } from "#engine/replication/link";

/** A table of the app, in which each row is one organization's. */
export type TenantTable = {
  /** With its schema: `app.invoices`. */
  readonly name: string;
  /** Without its schema. Lower case letters, digits and `_`. */
  readonly bare: string;
  /** The columns that flow to home's catalog, its key among them; null: the table never leaves its database. */
  readonly catalog: readonly string[] | null;
  /** Columns that hold something about a person. */
  readonly personal: readonly { readonly column: string; readonly holds: string }[];
  /** The tables that its foreign keys refer to. */
  readonly parents: readonly string[];
  /** Whether each row goes with another one, by foreign keys that delete it too. */
  readonly goesWithParent: boolean;
  /** Whether its ids lead to their placement: the column's default is tenantry.new_id(). */
  readonly idsRoute: boolean;
  /** What its checks demand, in words that follow "a row that cannot be written:", by the constraint's name. */
  readonly rules: Readonly<Record<string, string>>;
};

/** The tables and flows of one schema version. */
export type DeclaredVersion = {
  /** A table comes after those that it refers to. */
  readonly tables: readonly TenantTable[];
  readonly flows: Flows;
};

type Declaration = {
  part: string;
  number: number;
  kind: "table" | "catalog" | "directory" | "personal" | "dropped";
  name: string;
  columns: string[];
  detail: string | null;
};
type Shape = Pick<TenantTable, "name" | "parents" | "goesWithParent" | "idsRoute" | "rules"> & { fault: string | null };

/** The columns of every table's key in the catalog. */
const CATALOG_KEY = ["database_id", "id"] as const;

export class DeclaredTables {
  readonly latest: SchemaVersion;
  readonly #migrations: readonly Migration[];
  readonly #declarations: readonly Declaration[];
  readonly #shapes: readonly Shape[];
  readonly #versions = new Map<string, DeclaredVersion>();

  /** Asks a home that was migrated. CONFLICT with the table's name where a table and what is said about it do not fit. */
  static async read(home: Queryable<"home">, tenantSchema: MigrationSet): Promise<DeclaredTables> {
    const { tables, gaps } = await DeclaredTables.examine(home, tenantSchema);
    if (gaps[0] !== undefined) throw new TenantryError("CONFLICT", gaps[0]);
    return tables;
  }

  /** The same with all `gaps`: where a table and what is said about it do not fit, in one sentence each. */
  static async examine(
    home: Queryable<"home">,
    tenantSchema: MigrationSet,
  ): Promise<{ tables: DeclaredTables; gaps: string[] }> {
    const [declarations, shapes] = await Promise.all([readDeclarations(home), readShapes(home)]);
    const tables = new DeclaredTables(tenantSchema, declarations, shapes);
    const declared = tables.at(null).tables;
    const found = await Promise.all([
      findOpenings(home, declared),
      findSilentChanges(home, declared),
      findUnerasable(home, declared),
    ]);
    return { tables, gaps: [...findGaps(declared, shapes), ...found.flat()] };
  }

  private constructor({ migrations }: MigrationSet, declarations: readonly Declaration[], shapes: readonly Shape[]) {
    this.latest = latestOf({ migrations });
    this.#migrations = migrations;
    this.#declarations = declarations;
    this.#shapes = shapes;
  }

  /** What was declared at a version; null: at the latest. Throws CONFLICT for one that is newer than this program. */
  at(given: SchemaVersion | null): DeclaredVersion {
    const version = given ?? this.latest;
    if (isBeyond(version, this.latest))
      throw new TenantryError(
        "CONFLICT",
        `A database is at schema version ${describeVersion(version)}, newer than the ${describeVersion(this.latest)} that this program knows: start the newer program.`,
      );
    const key = describeVersion(version);
    const found = this.#versions.get(key) ?? declaredAt(this.#saidAt(version), this.#shapes);
    this.#versions.set(key, found);
    return found;
  }

  /**
   * Home has made the calls, in migrations of its own in place of those that only tenant databases have. Those of the engine that
   * belong together have the same number.
   */
  #saidAt({ engine, app }: SchemaVersion): Declaration[] {
    const step = this.#migrations.filter(({ part }) => part !== "app")[engine - 1]?.number ?? 0;
    return this.#declarations.filter(({ part, number }) => number <= (part === "app" ? app : step));
  }

  /** Whether columns of the table, named with its schema, flow to the catalog at the latest version. */
  flows(table: string): boolean {
    return this.at(null).flows.catalog.some(({ from }) => from === table);
  }

  /**
   * Which rule of the table an error says that a row breaks, in words that follow "because"; undefined: it is about something
   * else. The words are home's own: a region's server names the rule and no more.
   */
  ruleBrokenBy(error: unknown, table: string): string | undefined {
    if (sqlState(error) !== SQL_STATE.checkViolation) return undefined;
    return this.at(null).tables.find(({ name }) => name === table)?.rules[violatedConstraint(error) ?? ""];
  }

  /** What the versions that are served send to the catalog: each table without its schema, with all its columns. */
  served(): Record<string, string[]> {
    const served: Record<string, string[]> = {};
    const { engine, app } = this.latest;
    for (const version of [this.latest, { engine, app: Math.max(0, app - 1) }])
      for (const { table, columns } of this.at(version).flows.catalog)
        served[table] = [...new Set([...(served[table] ?? []), ...columns])];
    return served;
  }
}

function readDeclarations(home: Queryable<"home">): Promise<Declaration[]> {
  return home.query<Declaration>(
    "tables.declarations",
    `select part, number, kind, table_name as name, columns, detail from tenantry.declarations order by position`,
  );
}

/** What the tables of schema `app` are. With those that nobody declared. */
function readShapes(database: Queryable<DatabaseKind>): Promise<Shape[]> {
  return database.query<Shape>(
    "tables.shapes",
    `select format('app.%I', c.relname) as name, tenantry.fault_of_table(c.oid) as fault,
       coalesce((select array_agg(distinct format('app.%I', p.relname)) from pg_constraint k join pg_class p on p.oid = k.confrelid
                 where k.conrelid = c.oid and k.contype = 'f'), '{}') as parents,
       exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.confdeltype = 'c'
               and k.confrelid <> c.oid
               and (select bool_and(a.attnotnull) from pg_attribute a where a.attrelid = c.oid and a.attnum = any(k.conkey)))
         and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.confdeltype <> 'c')
         as "goesWithParent",
       exists (select from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
               join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = d.oid
               where a.attrelid = c.oid and a.attname = 'id' and p.refclassid = 'pg_proc'::regclass
                 and p.refobjid = 'tenantry.new_id()'::regprocedure)
         as "idsRoute",
       coalesce((select json_object_agg(k.conname, coalesce(obj_description(k.oid, 'pg_constraint'), 'it breaks the rule ' || k.conname))
                 from pg_constraint k where k.conrelid = c.oid and k.contype = 'c'), '{}') as rules
     from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') order by c.relname`,
  );
}

function declaredAt(declarations: readonly Declaration[], shapes: readonly Shape[]): DeclaredVersion {
  const tables = new Map<string, TenantTable>();
  const directory = new Map<string, PublishedTable>();
  for (const { kind, name, columns, detail } of declarations) {
    const bare = name.slice(name.indexOf(".") + 1);
    const table = tables.get(name);
    if (kind === "table") {
      const {
        parents = [],
        goesWithParent = false,
        idsRoute = true,
        rules = {},
      } = shapes.find((shape) => shape.name === name) ?? {};
      tables.set(name, { name, bare, catalog: null, personal: [], parents, goesWithParent, idsRoute, rules });
    } else if (kind === "dropped") tables.delete(name);
    else if (kind === "directory")
      directory.set(name, { table: bare, from: name, into: name, key: directoryKey(columns), columns });
    else if (table !== undefined && kind === "catalog") tables.set(name, { ...table, catalog: columns });
    else if (table !== undefined)
      tables.set(name, {
        ...table,
        personal: [...table.personal, ...columns.map((column) => ({ column, holds: detail ?? "" }))],
      });
  }
  const ordered = parentsFirst([...tables.values()]);
  const catalog = ordered.flatMap(({ name, bare, catalog: columns }): PublishedTable[] =>
    columns === null
      ? []
      : [
          {
            table: bare,
            from: name,
            into: `tenantry_inbox.${bare}`,
            kept: `catalog.${bare}`,
            key: CATALOG_KEY,
            columns,
          },
        ],
  );
  return { tables: ordered, flows: { directory: [...directory.values()], catalog } };
}

function directoryKey(columns: readonly string[]): string[] {
  return ["database_id", "organization_id", "user_id"].filter((column) => columns.includes(column));
}

/** A circle of foreign keys keeps the order of the declarations. */
function parentsFirst(tables: readonly TenantTable[]): TenantTable[] {
  const left = new Set(tables);
  const ordered: TenantTable[] = [];
  while (left.size > 0) {
    const waiting = new Set([...left].map(({ name }) => name));
    const [first] = left;
    const next =
      [...left].find(({ name, parents }) => parents.every((parent) => parent === name || !waiting.has(parent))) ??
      first;
    if (next === undefined) break;
    left.delete(next);
    ordered.push(next);
  }
  return ordered;
}

function findGaps(declared: readonly TenantTable[], shapes: readonly Shape[]): string[] {
  const names = new Set(declared.map(({ name }) => name));
  const stray = shapes
    .filter(({ name }) => !names.has(name))
    .map(
      ({ name }) =>
        `The table ${name} was not declared, so exports and revocations would leave it out: call tenantry.tenant_table('${name}') in the migration that makes it.`,
    );
  const unfit = declared.flatMap(({ name }) => {
    const shape = shapes.find((one) => one.name === name);
    if (shape === undefined)
      return [
        `The table ${name} is declared and is not there: drop a table with tenantry.drop_tenant_table('${name}').`,
      ];
    return shape.fault === null ? [] : [`The table cannot hold tenants' rows: ${shape.fault}`];
  });
  // Each table comes after those that it refers to, but for a circle.
  const circular = declared.flatMap(({ name, parents }, index) =>
    parents
      .filter((parent) => declared.findIndex((one) => one.name === parent) > index)
      .map(
        (parent) =>
          `The tables ${name} and ${parent} refer to each other in a circle, so neither can be imported or deleted first: leave one of the foreign keys out.`,
      ),
  );
  return [...stray, ...unfit, ...circular];
}

/** What shows an organization's rows to others, after the calls that keep them apart. */
async function findOpenings(home: Queryable<"home">, declared: readonly TenantTable[]): Promise<string[]> {
  const found = await home.query<{ kind: "table" | "view" | "copy" | "function"; name: string }>(
    "tables.openings",
    `select 'table' as kind, format('app.%I', relname) as name from pg_class
     where relnamespace = 'app'::regnamespace and format('app.%I', relname) = any($1) and (
       not relrowsecurity
       or (select array_agg(polname::text order by polname) from pg_policy where polrelid = pg_class.oid
           and (polpermissive or polname like 'open\\_to\\_%'))
          is distinct from '{open_to_delete,open_to_insert,open_to_update,own_organization}'::text[])
     union all
     select case relkind when 'm' then 'copy' else 'view' end, format('app.%I', relname) from pg_class
     where relnamespace = 'app'::regnamespace and (relkind = 'm' or relkind = 'v'
       and not exists (select from unnest(reloptions) as one where one collate "C" ~* '^security_invoker=(true|on|yes|1)$'))
     union all
     select 'function', oid::regprocedure::text from pg_proc
     where pronamespace = 'app'::regnamespace and prosecdef and prorettype <> 'trigger'::regtype
       and has_function_privilege(tenantry.api_role(), oid, 'execute')
     order by 1, 2`,
    [declared.map(({ name }) => name)],
  );
  return found.map(({ kind, name }) => `The ${OPENINGS[kind](name)}`);
}

const OPENINGS = {
  table: (name: string) =>
    `table ${name} does not keep organizations apart: leave its row-level security and the policies that tenantry.tenant_table made as they are, and add none that is not restrictive.`,
  view: (name: string) => `view ${name} shows every organization's rows: make it with (security_invoker = true).`,
  copy: (name: string) =>
    `materialized view ${name} keeps every organization's rows in one place, and nothing takes them out: use a view or a table.`,
  function: (name: string) =>
    `function ${name} works with its owner's rights, for whom row-level security does not hold: leave out security definer, or revoke execute on it from public.`,
};

/** Columns that flow and that a migration has taken away, renamed or given another type without another call. */
async function findSilentChanges(home: Queryable<"home">, declared: readonly TenantTable[]): Promise<string[]> {
  const flowing = declared.flatMap(({ name, bare, catalog }) =>
    (catalog ?? []).map((column) => ({ name, kept: `catalog.${bare}`, column })),
  );
  const changed = await home.query<{ name: string; column: string; now: string | null; sent: string }>(
    "tables.silent_changes",
    `select f.name, f.column, format_type(a.atttypid, a.atttypmod) as now, format_type(k.atttypid, k.atttypmod) as sent
     from unnest($1::text[], $2::text[], $3::text[]) as f (name, kept, "column")
     join pg_attribute k on k.attrelid = to_regclass(f.kept) and k.attname = f.column and not k.attisdropped
     left join pg_attribute a on a.attrelid = to_regclass(f.name) and a.attname = f.column and not a.attisdropped
     where to_regclass(f.name) is not null
       and (a.attname is null or (a.atttypid, a.atttypmod) is distinct from (k.atttypid, k.atttypmod))
     order by f.name, f.column`,
    [flowing.map(({ name }) => name), flowing.map(({ kept }) => kept), flowing.map(({ column }) => column)],
  );
  return changed.map(({ name, column, now, sent }) =>
    now === null
      ? `The column ${column} of ${name} flows to home and is not there: call tenantry.catalog('${name}', …) without it before it is dropped or renamed.`
      : `The column ${column} of ${name} flows to home as ${sent} and is ${now} now: databases of the version before send the old type. Add a column instead.`,
  );
}

/** Columns with a user's id that an erasure could not take out. One that a migration has dropped holds nothing. */
async function findUnerasable(home: Queryable<"home">, declared: readonly TenantTable[]): Promise<string[]> {
  const ofUsers = declared.flatMap(({ name, personal }) =>
    personal.filter(({ holds }) => holds === "user").map(({ column }) => ({ name, column })),
  );
  const found = await home.query<{ name: string; column: string; fault: keyof typeof UNERASABLE }>(
    "tables.unerasable",
    `select d.name, d.column, f.fault
     from unnest($1::text[], $2::text[]) as d (name, "column")
     join pg_attribute a on a.attrelid = to_regclass(d.name) and a.attname = d.column and not a.attisdropped
     cross join lateral (select case
       when a.atttypid <> 'uuid'::regtype or a.attgenerated <> '' then 'type'
       when a.attnotnull and exists (
         select from pg_constraint k where k.contype = 'f' and k.conrelid = a.attrelid and a.attnum = any(k.conkey)) then 'refers'
       when exists (
         select from pg_constraint k where k.contype = 'f' and k.confrelid = a.attrelid and a.attnum = any(k.confkey)
           and k.confupdtype not in ('c', 'n', 'd')) then 'referred'
       end as fault) f
     where f.fault is not null order by d.name, d.column`,
    [ofUsers.map(({ name }) => name), ofUsers.map(({ column }) => column)],
  );
  return found.map(
    ({ name, column, fault }) => `The column ${column} of ${name} is declared as a user's id and ${UNERASABLE[fault]}`,
  );
}

const UNERASABLE = {
  type: "is no stored column of the type uuid: declare the column that has the id.",
  refers:
    "is not null and part of a foreign key, so an erasure cannot take the id out: let it be null, or leave it out of the foreign key.",
  referred:
    "is referred to by a foreign key, so an erasure cannot take the id out: add on update cascade to the foreign key, or leave the column out of it.",
};

/** Whether a row may refer to another one of its own table. */
export function refersToItself({ name, parents }: TenantTable): boolean {
  return parents.includes(name);
}

/** Whether other tables or columns flow in one than in the other. */
export function flowsDiffer(one: Flows, other: Flows): boolean {
  const list = (flows: Flows) =>
    JSON.stringify(
      [flows.directory, flows.catalog].map((tables) => tables.map(({ from, columns }) => [from, columns])),
    );
  return list(one) !== list(other);
}

/** The app's tables in a database that are not among `declared`, by name. Somebody made them by hand. */
export async function findUndeclared(
  database: Queryable<DatabaseKind>,
  declared: readonly TenantTable[],
): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "tables.undeclared",
    `select format('app.%I', relname) as name from pg_class
     where relnamespace = to_regnamespace('app') and relkind in ('r', 'p')
       and not (format('app.%I', relname) = any($1)) order by relname`,
    [declared.map(({ name }) => name)],
  );
  return rows.map(({ name }) => name);
}
