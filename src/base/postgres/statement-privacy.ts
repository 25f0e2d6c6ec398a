/**
 * Statements that hold a secret: how their text stays out of what a server keeps of statements. That is its log, the
 * statistics of `pg_stat_statements` and what `pg_stat_activity` shows.
 *
 * Two means, as most settings of that kind are for superusers, or for roles that were granted `SET` on them:
 * - whatever the role may turn off is off while the statement runs, and set back afterwards;
 * - the statement is handed over as a value and run by `do`. Its text is then no statement that a client sent, which is all
 *   that `log_statement = ddl`, `log_min_error_statement` and `pg_stat_statements` (with its default `track = top`) look at.
 *
 * A role that may turn nothing off cannot hide the value from a server that logs everything: `log_statement = all`,
 * `log_min_duration_statement = 0`, `pg_stat_statements.track = all`, pgaudit. docs/reference/supported-postgresql.md says so.
 */
import type { Database, DatabaseKind, Queryable, Session } from "#base/postgres/database";
import { MAY_SET } from "#base/postgres/pinned-settings";
import { quoteLiteral } from "#base/postgres/identifiers";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";

/** Everything by which a server keeps a statement's text or its parameters, and the value with which it keeps nothing. */
const QUIET: Readonly<Record<string, string>> = {
  log_statement: "none",
  log_min_duration_statement: "-1",
  log_min_duration_sample: "-1",
  // Looked at when a transaction begins, so it has to be off before.
  log_transaction_sample_rate: "0",
  log_min_error_statement: "panic",
  // Without the context of an error, which repeats a statement that `do` ran.
  log_error_verbosity: "terse",
  log_parameter_max_length: "0",
  log_parameter_max_length_on_error: "0",
  debug_print_raw_parse: "off",
  debug_print_parse: "off",
  debug_print_rewritten: "off",
  debug_print_plan: "off",
  // What runs is shown to others, and is logged when the server crashes or finds a deadlock.
  track_activities: "off",
  "pg_stat_statements.track": "none",
  "pg_stat_statements.track_utility": "off",
  "auto_explain.log_min_duration": "-1",
  "pgaudit.log": "none",
  "pgaudit.log_parameter": "off",
};

/** Holds a statement on its way into `do`. */
const STATEMENT = "tenantry.private_statement";

// The error is raised anew: its own context would repeat the statement in the server's log.
const RUN = `do $$
declare state text; said text; detail text; hint text;
begin
  execute current_setting('${STATEMENT}');
exception when query_canceled or others then
  get stacked diagnostics state = returned_sqlstate, said = message_text, detail = pg_exception_detail,
    hint = pg_exception_hint;
  raise exception using errcode = state, message = said, detail = detail, hint = hint;
end $$`;

/** A session in which the server keeps as little of statements as the role may have it keep. */
export interface PrivateSession<Kind extends DatabaseKind> extends Queryable<Kind> {
  /**
   * Runs a statement whose text holds a secret. It takes no parameters, gives no rows, and must be allowed in a transaction.
   * Throws what the server said, with its SQLSTATE. What is to run right `before` and `after` goes in the same message, as the
   * server may be far away; the rows of what runs after are returned. `end`: runs last of all, and what was set is set back in
   * the same message; the session is of no more use then.
   */
  runSecret(name: string, text: string, around?: { before?: string; after?: string; end?: string }): Promise<object[]>;
  /** Has a statement run when the work is over, before what was set is set back; in the same message. */
  endWith(text: string): void;
}

/**
 * Runs `work` in a session where secrets may be sent to the server. Each statement is given up after `statementTimeoutMs`.
 * Where `work` throws, the connection is discarded, and the settings with it.
 */
export function inPrivate<Kind extends DatabaseKind, Result>(
  database: Database<Kind>,
  statementTimeoutMs: number,
  work: (session: PrivateSession<Kind>) => Promise<Result>,
): Promise<Result> {
  return database.session(async (session) => {
    const quiet = await beQuiet(session, statementTimeoutMs);
    let end: string | undefined;
    let isSetBack = false;
    const result = await work({
      kind: session.kind,
      query: (name, text, values) => session.query(name, text, values),
      runSecret: async (name, text, { before, after, end: atOnce } = {}) => {
        const isPresent = (one: string | undefined) => one !== undefined;
        const handOver = { text: "select set_config($1, $2, false)", values: [STATEMENT, text] };
        const behind = atOnce === undefined ? [] : [atOnce, ...settingBack(quiet)];
        const answers = await session.batch(name, [
          ...[before].filter(isPresent).map((one) => ({ text: one })),
          handOver,
          ...[RUN, after, ...behind].filter(isPresent).map((one) => ({ text: one })),
        ]);
        isSetBack = atOnce !== undefined;
        return after === undefined ? [] : (answers.at(-1 - behind.length) ?? []);
      },
      endWith: (text) => {
        end = text;
      },
    });
    if (!isSetBack) await setBack(session, quiet, end);
    return result;
  });
}

/** The names that are set now: those that the server knows and the role may set. Outside of a transaction, where a statement that is refused leaves nothing behind. */
async function beQuiet(session: Session<DatabaseKind>, statementTimeoutMs: number): Promise<string[]> {
  const timeout = `set statement_timeout = ${statementTimeoutMs}`;
  try {
    // One message, as the server may be far away.
    const [, rows = []] = await session.script("private.begin", `${timeout}; ${quietly(Object.keys(QUIET))}`);
    return rows.map((row) => (row as { name: string }).name);
  } catch (error) {
    if (!isRefused(error)) throw error;
  }
  await session.query("private.timeout", timeout);
  // A provider can refuse a setting although PostgreSQL's own rules allow it. The others are set all the same, each by itself.
  const set: string[] = [];
  for (const name of Object.keys(QUIET))
    try {
      set.push(...(await setQuiet(session, [name])));
    } catch (error) {
      if (!isRefused(error)) throw error;
    }
  return set;
}

async function setQuiet(session: Queryable<DatabaseKind>, names: readonly string[]): Promise<string[]> {
  const rows = await session.query<{ name: string }>("private.quiet", quietly(names));
  return rows.map(({ name }) => name);
}

/** Sets those of the settings that there are and the role may set, and selects their names. */
function quietly(names: readonly string[]): string {
  const values = names.map((name) => `(${quoteLiteral(name)}, ${quoteLiteral(QUIET[name] ?? "")})`);
  return `select s.name, set_config(s.name, q.value, false)
     from (values ${values.join(", ")}) as q (name, value) join pg_settings s on s.name = q.name
     where ${MAY_SET}`;
}

function isRefused(error: unknown): boolean {
  return sqlState(error) === SQL_STATE.insufficientPrivilege;
}

async function setBack(session: Session<DatabaseKind>, names: readonly string[], end?: string): Promise<void> {
  await session.script("private.back", [...(end === undefined ? [] : [end]), ...settingBack(names)].join("; "));
}

/** The secret goes before the log is on again. Only what was set: what a provider refused before it would refuse again. */
function settingBack(names: readonly string[]): string[] {
  const forget = `select set_config(${quoteLiteral(STATEMENT)}, '', false)`;
  // Not to the values of this moment: the session would keep them when the server's settings change.
  return [forget, ...[...names, "statement_timeout"].map((name) => `reset ${name}`)];
}
