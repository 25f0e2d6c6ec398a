/**
 * Settings that every session of Tenantry relies on. An administrator can set others for a server, a database or a role, and
 * so can an application that was there before. Ours win: with another `search_path`, `json_agg` in a statement would be a
 * function of somebody else; with another `DateStyle` a moment would be read wrong.
 *
 * - A direct connection gives them at its start (the `options` of the start-up message), which outranks servers, databases
 *   and roles.
 * - Some may be set by superusers only, or are not known to every version. The first connection of an operator's role to a
 *   server finds out which of them it may set; the later ones give them at their start too.
 * - A connection pooler refuses `options`, and hands a server's connection from one client to the next. The API's role has
 *   the settings as its own on each server (engine/regions/api-role.ts), and the search path travels with each transaction.
 * - Apply workers take the settings of their database and role, whatever a client says. So the functions that run in them
 *   carry their own (`set …` in engine/schema).
 *
 * `default_transaction_read_only` is left alone, as it is how a provider or a move fences writes. `synchronous_commit` is the
 * operator's choice, and so are `role` and everything that only changes how fast something is.
 */
import type pg from "pg";
import { quoteLiteral } from "#base/postgres/identifiers";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";

/**
 * Functions and operators are PostgreSQL's own, and all else is named with its schema. Temporary tables come last: where
 * they are not named, they come first (https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SEARCH-PATH).
 */
const SEARCH_PATH = "pg_catalog, pg_temp";

/** What every role may set for itself on PostgreSQL 15 to 18. The names are written as the server stores them. */
export const PINNED: Readonly<Record<string, string>> = {
  search_path: SEARCH_PATH,
  // How statements are read.
  standard_conforming_strings: "on",
  transform_null_equals: "off",
  array_nulls: "on",
  "plpgsql.extra_errors": "none",
  // How values are read and written. Moments that are cut to days and months are cut in UTC on every server.
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  xmlbinary: "base64",
  xmloption: "content",
  // `format('%I')` and what a catalog says of an expression would have other text.
  quote_all_identifiers: "off",
  // Whether rows are hidden or the statement is refused.
  row_security: "on",
  default_transaction_isolation: "read committed",
  default_transaction_deferrable: "off",
  // Connections that wait in a pool, and listeners, are idle.
  idle_session_timeout: "0",
  exit_on_error: "off",
};

/**
 * Bounds that an administrator puts on statements. They hold for callers. Work on servers and tenant databases has bounds of
 * its own: a big tenant is copied for as long as it takes.
 */
const UNBOUNDED: Readonly<Record<string, string>> = {
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
};

/** What only some roles may set, or only some versions know. */
const WHERE_ALLOWED: Readonly<Record<string, string>> = {
  // As a replica, no trigger and no foreign key would hold.
  session_replication_role: "origin",
  // The program recognises some failures to connect by the server's English text.
  lc_messages: "C",
  restrict_nonsystem_relation_kind: "",
  transaction_timeout: "0",
};

/**
 * What is asked for by a client that has gone ends. A server refuses it on a system that does not tell it of that
 * (https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL).
 */
const WHERE_KNOWN: Readonly<Record<string, string>> = { client_connection_check_interval: "5000" };

/** Those of {@link WHERE_ALLOWED} that matter to the API's role, as settings of the role itself. */
export const PINNED_WHERE_ALLOWED: Readonly<Record<string, string>> = {
  session_replication_role: "origin",
  restrict_nonsystem_relation_kind: "",
};

/** In SQL, of a row `s` of pg_settings: whether the role may set it. */
export const MAY_SET = `(s.context = 'user' or (s.context = 'superuser' and has_parameter_privilege(s.name, 'set')))`;

/** For the start of a connection. A backslash keeps a space from ending a value. */
function asOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, "\\$&")}`)
    .join(" ");
}

const CALLERS_OPTIONS = asOptions(PINNED);
const OPERATORS_OPTIONS = `${CALLERS_OPTIONS} ${asOptions(UNBOUNDED)}`;

/** A replication connection writes values for another server: with all digits. */
export const WALSENDER_OPTIONS = `${OPERATORS_OPTIONS} -c extra_float_digits=3`;

/** The setting and its value, as SQL's `SET` takes them. A list stands in no quotes: it would be one name. */
export function asAssignment(name: string, value: string): string {
  return `${name} = ${name === "search_path" ? value : quoteLiteral(value)}`;
}

/**
 * For one statement or transaction. A pooler refuses the option at the start, and hands the server's connection from one
 * client to the next, so the setting goes with the transaction there.
 */
export const SEARCH_PATH_SETTING = {
  setting: "search_path",
  value: SEARCH_PATH,
  setter: "tenantry.sets_search_path",
} as const;

/** The same, to stand after `begin` in one message. */
export const PIN_TRANSACTION = `set local search_path = ${SEARCH_PATH}`;

/** What a server says to a connection that gives a setting which the role may not set any more, or which it does not know. */
const REFUSED: ReadonlySet<string | undefined> = new Set([
  SQL_STATE.insufficientPrivilege,
  SQL_STATE.undefinedObject,
  SQL_STATE.invalidParameterValue,
]);

/** Roles on servers whose rights are remembered. */
const MAX_KNOWN = 1_000;

/** The settings of a process's connections, and what was found out about each role on each server. */
export class ConnectionPins {
  readonly #known = new Map<string, string>();

  /** The `options` of a connection of an operator's role. `login`: the role and the server, as one text. */
  optionsOf(login: string): string {
    const known = this.#known.get(login);
    return known === undefined || known === "" ? OPERATORS_OPTIONS : `${OPERATORS_OPTIONS} ${known}`;
  }

  /** The `options` of a connection for callers. */
  get callersOptions(): string {
    return CALLERS_OPTIONS;
  }

  /** Sets on a new connection what its start could not, and remembers what the role may set. */
  async pinRest(login: string, client: Pick<pg.ClientBase, "query">): Promise<void> {
    if (this.#known.has(login)) return;
    const set =
      (await setRest(client, { ...WHERE_ALLOWED, ...WHERE_KNOWN })) ?? (await setRest(client, WHERE_ALLOWED)) ?? {};
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(login, asOptions(set));
  }

  /** A connection could not be made: where the settings may be why, the next one finds out anew what the role may set. */
  failed(login: string, error: unknown): void {
    if (REFUSED.has(sqlState(error))) this.#known.delete(login);
  }
}

/** Returns those that the role may set; undefined where the server refused one, and so none is set. */
async function setRest(
  client: Pick<pg.ClientBase, "query">,
  settings: Readonly<Record<string, string>>,
): Promise<Record<string, string> | undefined> {
  try {
    const { rows } = await client.query<{ name: string }>(
      `/* tenantry: pin */ select s.name, set_config(s.name, q.value, false)
       from unnest($1::text[], $2::text[]) as q (name, value) join pg_settings s on s.name = q.name where ${MAY_SET}`,
      [Object.keys(settings), Object.values(settings)],
    );
    return Object.fromEntries(rows.map(({ name }) => [name, settings[name] ?? ""]));
  } catch (error) {
    // A provider can refuse a setting although PostgreSQL's own rules allow it.
    if (REFUSED.has(sqlState(error))) return undefined;
    throw error;
  }
}
