/** Settings that a server, a database or a role may have from somebody else, and that statements of ours would trip over. */
import { quoteIdentifier } from "../../src/base/postgres/identifiers.ts";
import { sql } from "./app.ts";

/** Each is another one than PostgreSQL's default. A role that is no superuser cannot set the last one. */
export const OTHER_SETTINGS: Readonly<Record<string, string>> = {
  search_path: "'evil', 'pg_catalog'",
  standard_conforming_strings: "off",
  transform_null_equals: "on",
  array_nulls: "off",
  "plpgsql.extra_errors": "'all'",
  DateStyle: "'German, DMY'",
  IntervalStyle: "'sql_standard'",
  TimeZone: "'Asia/Kathmandu'",
  bytea_output: "'escape'",
  extra_float_digits: "-15",
  xmlbinary: "'hex'",
  xmloption: "'document'",
  quote_all_identifiers: "on",
  row_security: "off",
  default_transaction_isolation: "'serializable'",
  default_transaction_deferrable: "on",
  idle_session_timeout: "'400ms'",
  exit_on_error: "on",
  client_encoding: "'LATIN1'",
  session_replication_role: "'replica'",
};

/** Bounds that hold for callers, and not for Tenantry's own work. */
export const OTHER_BOUNDS: Readonly<Record<string, string>> = {
  statement_timeout: "'1ms'",
  lock_timeout: "'1ms'",
  idle_in_transaction_session_timeout: "'1ms'",
};

/** What a server has them for; `url` is a superuser's, of any database there. */
export type Level = { kind: "server" } | { kind: "database"; name: string } | { kind: "role"; name: string };

/** Sets each of them. In sessions that begin from now on they hold. */
export async function setOthers(url: string, level: Level, settings: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    // Unknown to a server's file until its library is loaded, and a client's own at its start.
    if (level.kind === "server" && (name.startsWith("plpgsql.") || name === "client_encoding")) continue;
    await sql(calm(url), `${alter(level)} set ${name} = ${value}`);
  }
  if (level.kind === "server") await sql(calm(url), "select pg_reload_conf()");
}

function alter(level: Level): string {
  return level.kind === "server" ? "alter system" : `alter ${level.kind} ${quoteIdentifier(level.name)}`;
}

/** The same URL with sessions that no longer have some of what was set. */
export function calm(url: string): string {
  const options =
    "-c standard_conforming_strings=on -c default_transaction_isolation=read\\ committed -c search_path=pg_catalog";
  const bounds = Object.keys(OTHER_BOUNDS).map((name) => `-c ${name}=0`);
  const calmed = new URL(url);
  calmed.searchParams.set("options", [options, ...bounds].join(" "));
  return calmed.href;
}
