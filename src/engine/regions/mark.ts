/**
 * What Tenantry leaves on a server: which region it is, and which home owns it. The mark is a remark on the API's role, and
 * each tenant database has one of its own. All of them are in the server's shared catalogs: one statement reads them from any
 * database, one transaction changes them, and pg_upgrade keeps them.
 */
import { TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import type { Database, DatabaseKind, Queryable } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral } from "#base/postgres/identifiers";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { apiRoleName, namePrefix } from "#engine/replication/names";

/** What a mark says. A server can answer anything, so it was looked at by {@link parseMark}. */
export type Mark = {
  /** The region's id; null: the server is home's, and no region yet. */
  regionId: string | null;
  /** Which home owns the server: says nothing of home to somebody who does not know it. */
  owner: string;
  /** Of home's server when that wrote the mark. */
  timeline: string;
  since: string;
  /** Where that home is, sealed. */
  sealed: string;
};

/** What is on a server under this installation's name. */
export type Marks = {
  /** As it stands there; null: there is none. */
  text: string | null;
  /** Undefined: there is none, or somebody else wrote it. */
  mark: Mark | undefined;
  hasRole: boolean;
  /** Of the server that answered. */
  systemIdentifier: string;
  databases: number;
  /** Tenant databases that name another owner than `owner`. */
  foreign: string[];
};

const MARK =
  /^Tenantry: region ([0-9a-f-]{36}|none), home ([0-9a-f]{32}) in timeline ([0-9A-F]{8}) since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z), ([A-Za-z0-9+/=]{1,2000})$/;

/** What is said of a tenant database, with the owner behind it. */
const DATABASE_OWNER = "^Tenantry installation [0-9a-f]{8}, tenant database \\d+, home ([0-9a-f]{32})$";
const MAX_FOREIGN = 100;

/** Undefined for what {@link formatMark} does not write. */
export function parseMark(text: unknown): Mark | undefined {
  if (typeof text !== "string") return undefined;
  const [, region = "", owner = "", timeline = "", since = "", sealed = ""] = MARK.exec(text) ?? [];
  if (owner === "") return undefined;
  return { regionId: region === "none" ? null : region, owner, timeline, since, sealed };
}

export function formatMark({ regionId, owner, timeline, since, sealed }: Mark): string {
  return `Tenantry: region ${regionId ?? "none"}, home ${owner} in timeline ${timeline} since ${since}, ${sealed}`;
}

/** What the remark on a tenant database says: what it is, and whose. */
export function describeDatabase(installation: string, databaseId: number, owner: string): string {
  return `Tenantry installation ${installation}, tenant database ${databaseId}, home ${owner}`;
}

/** Reads everything with one statement. `owner`: whose databases are not foreign. */
export async function readMarks(server: Queryable<DatabaseKind>, installation: string, owner: string): Promise<Marks> {
  const { text, values } = marksStatement(installation, owner);
  return marksIn(await server.query("marks.read", text, values));
}

/** The statement, to go in one message with others; {@link marksIn} reads its rows. */
export function marksStatement(installation: string, owner: string): { text: string; values: string[] } {
  return {
    text: `with ours as (
       select datname::text as name, substring(shobj_description(oid, 'pg_database') from $3) as owner
       from pg_catalog.pg_database where datname ~ ('^' || $2 || '[0-9]+$')
     )
     select (select system_identifier::text from pg_control_system()) as server,
            (select count(*)::int from pg_catalog.pg_roles where rolname = $1) as roles,
            (select shobj_description(oid, 'pg_authid') from pg_catalog.pg_roles where rolname = $1) as text,
            (select count(*)::int from ours) as databases,
            array(select name from ours where owner <> $4 order by name limit ${MAX_FOREIGN}) as foreign`,
    values: [apiRoleName(installation), namePrefix(installation), DATABASE_OWNER, owner],
  };
}

export function marksIn(rows: readonly object[]): Marks {
  const [row] = rows as readonly Record<"server" | "roles" | "text" | "databases" | "foreign", unknown>[];
  const text = typeof row?.text === "string" ? row.text : null;
  const foreign = Array.isArray(row?.foreign) ? row.foreign.filter((name) => typeof name === "string") : [];
  return {
    text,
    mark: parseMark(text),
    hasRole: row?.roles === 1,
    systemIdentifier: String(row?.server),
    databases: typeof row?.databases === "number" ? row.databases : 0,
    foreign,
  };
}

/**
 * Writes the mark if `expected` still stands there, in a transaction of its own. CONFLICT when it changed meanwhile,
 * CAPABILITY_MISSING where the role may not write it.
 */
export async function replaceMarks(
  server: Database<DatabaseKind>,
  installation: string,
  mark: Mark,
  expected: string | null,
): Promise<void> {
  // One message, as the server may be far away.
  const all = [
    "begin",
    lockingMarks(installation),
    expecting(installation, expected),
    writingMarks(installation, mark),
  ];
  try {
    await server.session((session) => session.script("marks.replace", [...all, "commit"].join("; ")));
  } catch (error) {
    if (sqlState(error) === CHANGED)
      throw new TenantryError("CONFLICT", "Which home owns the server has changed a moment ago: look again.");
    if (sqlState(error) !== SQL_STATE.insufficientPrivilege) throw error;
    throw new TenantryError(
      "CAPABILITY_MISSING",
      `The role that Tenantry signs in with may not note on the server which home owns it: ${redactedMessage(error)}. It must be the owner of the tenant databases, and have made the API's role, or on PostgreSQL 16 and newer have it WITH ADMIN OPTION.`,
      { cause: error },
    );
  }
}

/**
 * From here to the transaction's end nobody else changes the marks of this installation on the server, whichever database they
 * are in. Advisory locks are of one database. The name of a role is unique on the whole server: who makes a role of the same
 * name waits for the end of the transaction that made it first, also where that has dropped it. No role is ever left, and
 * whoever may write a mark may make one: both take CREATEROLE.
 */
export function lockingMarks(installation: string): string {
  const name = quoteIdentifier(`${namePrefix(installation)}marks_lock`);
  return `set local lock_timeout = '10s'; do $lock$ begin create role ${name}; drop role ${name}; end $lock$`;
}

/** No state of PostgreSQL's own. */
const CHANGED = "TNMK1";

function expecting(installation: string, expected: string | null): string {
  return `do $expected$ begin
    if (select shobj_description(oid, 'pg_authid') from pg_catalog.pg_roles
        where rolname = ${quoteLiteral(apiRoleName(installation))})
       is distinct from ${expected === null ? "null" : quoteLiteral(expected)} then
      raise exception using errcode = '${CHANGED}', message = 'the mark has changed';
    end if;
  end $expected$`;
}

/** Writes the mark, and the same owner on each tenant database. The API's role must be there. */
export function writingMarks(installation: string, mark: Mark): string {
  const prefix = namePrefix(installation);
  const remark = quoteLiteral(describeDatabase(installation, 0, mark.owner));
  return `do $marks$
     declare
       one text;
     begin
       execute format('comment on role %I is %L', ${quoteLiteral(apiRoleName(installation))}, ${quoteLiteral(formatMark(mark))});
       for one in select datname from pg_catalog.pg_database where datname ~ ${quoteLiteral(`^${prefix}[0-9]+$`)} loop
         execute format('comment on database %I is %L', one,
           replace(${remark}, 'database 0,', 'database ' || substr(one, ${prefix.length + 1}) || ','));
       end loop;
     end $marks$`;
}

/** Finds a tenant database on the server; {@link ownerIn} reads its rows. To go in one message with others. */
export function databaseOwnerStatement(database: string): { text: string; values: string[] } {
  return {
    text: `select substring(shobj_description(oid, 'pg_database') from $2) as owner
           from pg_catalog.pg_database where datname = $1`,
    values: [database, DATABASE_OWNER],
  };
}

/** Who owns it, as the remark on it says; null: it says nothing of it. Undefined: there is none. */
export function ownerIn(rows: readonly object[]): { owner: string | null } | undefined {
  const [row] = rows as readonly { owner: unknown }[];
  return row && { owner: typeof row.owner === "string" ? row.owner : null };
}
