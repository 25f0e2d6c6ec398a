/**
 * A statement with settings that hold for it alone, such as the one that row-level security goes by.
 *
 * The values travel as further parameters of the statement, in its own message. The type of each is a domain whose check sets the
 * setting until the transaction ends (`tenantry.sets_…` in engine/schema/both). PostgreSQL reads a statement's parameters when it has
 * begun the statement's transaction, and before it plans it (exec_bind_message in src/backend/tcop/postgres.c). So:
 *
 * - The setting is there before a plan is chosen and before a row is looked at, whatever the plan is. It is no part of the plan.
 * - It ends with the statement. The connection's next user has none, and without it row-level security shows no rows.
 * - A statement that lost its parameter on the way is refused: their number is wrong.
 *
 * The parameter is named in a WITH query that nothing reads, so the server drops it before it plans.
 * docs/explain/isolation.md says what else was weighed.
 */
import type pg from "pg";
import { quoteLiteral } from "#base/postgres/identifiers";
import { PIN_TRANSACTION, SEARCH_PATH_SETTING } from "#base/postgres/pinned-settings";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";

/** A setting and its value, as `current_setting` gives it to row-level security. */
export type Scope = {
  readonly setting: string;
  readonly value: string;
  /** The type that sets it, with its schema. Without one, a statement under the setting is a transaction of several messages. */
  readonly setter?: string | undefined;
};

/** How the driver gives rows: as arrays, and by other parsers. */
export type RowForm = Pick<pg.QueryArrayConfig, "types"> & { readonly rowMode?: "array"; readonly binary?: boolean };

export type Statement = {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Under which it is prepared on the connection, and kept there; undefined: it is parsed for this once. */
  readonly name?: string | undefined;
  /** How the driver is to give the rows, where that is not as objects of its own types. */
  readonly form?: RowForm | undefined;
};

/** The driver's, of one statement. */
export type Result = pg.QueryResult<object>;

/** A text that takes its settings as parameters behind its own. */
export type ScopedText = {
  readonly text: string;
  /** Where the original text goes on behind what was put in, and how long that is. */
  readonly at: number;
  readonly added: number;
};

const REMARKS = /^(?:\s|--[^\n\r]*(?:[\n\r]|$)|\/\*[\s\S]*?\*\/)*/;
/** What may have a WITH in front. */
const TAKES_WITH = /^(?:\(|(?:select|insert|update|delete|merge|values|table)\b)/i;
const WITH = /^with\b/i;
const RECURSIVE = /^recursive\b/i;
const NAME = "tenantry_settings";

/** Texts that are remembered; those of a program come again and again. */
const MAX_REMEMBERED = 2_000;
/** A longer one costs more to keep than to make. */
const MAX_REMEMBERED_LENGTH = 20_000;
const remembered = new Map<string, { key: string; scoped: ScopedText | undefined }>();

/**
 * The text with the settings' parameters behind its own, of which there are `count`. Undefined for a text that cannot have them:
 * what is not a query, or uses parameters that it is not given.
 */
export function scopedText(text: string, count: number, settings: readonly Scope[]): ScopedText | undefined {
  let key = String(count);
  for (const { setter } of settings) key += ` ${setter}`;
  const known = remembered.get(text);
  if (known?.key === key) return known.scoped;
  const scoped = makeScoped(text, count, settings);
  if (text.length <= MAX_REMEMBERED_LENGTH) {
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(text, { key, scoped });
  }
  return scoped;
}

function makeScoped(text: string, count: number, settings: readonly Scope[]): ScopedText | undefined {
  if (settings.some(({ setter }) => setter === undefined) || highestParameter(text) > count) return undefined;
  const casts = settings.map(({ setter }, index) => `$${count + index + 1}::${setter}`);
  const query = `${NAME} as (select ${casts.join(", ")})`;
  const start = lengthOf(REMARKS, text);
  const rest = text.slice(start);
  if (TAKES_WITH.test(rest)) return put(text, start, `with ${query} `);
  if (!WITH.test(rest)) return undefined;
  const behind = start + "with".length;
  const gap = lengthOf(REMARKS, text.slice(behind));
  const recursive = lengthOf(RECURSIVE, text.slice(behind + gap));
  return put(text, recursive === 0 ? behind : behind + gap + recursive, ` ${query},`);
}

function put(text: string, at: number, added: string): ScopedText {
  return { text: text.slice(0, at) + added + text.slice(at), at, added: added.length };
}

function lengthOf(pattern: RegExp, text: string): number {
  return pattern.exec(text)?.[0].length ?? 0;
}

/** Those within strings and remarks count too: that costs a statement messages, and nothing else. */
function highestParameter(text: string): number {
  let highest = 0;
  for (const [, number] of text.matchAll(/\$(\d+)/g)) highest = Math.max(highest, Number(number));
  return highest;
}

/** Sends what {@link scopedText} made of a text; `text`: the same, perhaps with a remark in front. */
export function sendScoped(
  client: pg.ClientBase,
  settings: readonly Scope[],
  { text, values, name, form }: Statement,
): Promise<Result> {
  const all = [...values];
  for (const { value } of settings) all.push(value);
  const config = form === undefined ? { text, name, values: all } : { ...form, text, name, values: all };
  // The driver's own promise costs a second one, for a stack trace.
  return new Promise((resolve, reject) => {
    client.query<object>(config as pg.QueryConfig, (error, result) => {
      if (error == null) resolve(result);
      else reject(error);
    });
  });
}

/**
 * Runs a statement whose text cannot have its settings as parameters. One without values goes in one message with them, as one
 * transaction. One with values is a transaction of three messages.
 */
export async function sendInTransaction(
  client: pg.ClientBase,
  settings: readonly Scope[],
  { text, values, form }: Statement,
): Promise<readonly Result[]> {
  const before = textBefore(settings);
  if (values.length === 0)
    return (await sendPlain(client, { text: before + text, values, form })).slice(settings.length);
  await client.query(`begin; ${before}`);
  try {
    const results = await sendPlain(client, { text, values, form });
    await client.query("commit");
    return results;
  } catch (error) {
    // On a connection that is lost there is nothing to roll back.
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}

/** What stands in front of a text without values that {@link sendInTransaction} sends. */
export function textBefore(settings: readonly Scope[]): string {
  return `${settings.map(asLocal).join("; ")}; `;
}

/** Sends a statement as it is, and gives the result of each that its text has. */
export async function sendPlain(
  client: pg.ClientBase,
  { text, values, name, form }: Statement,
): Promise<readonly Result[]> {
  const config = { ...form, text, values: [...values], ...(name !== undefined && { name }) };
  // The driver's types know one result only.
  const result = (await client.query<object>(config)) as Result | Result[];
  return Array.isArray(result) ? result : [result];
}

/** For a transaction, right after its BEGIN. */
export function asLocal({ setting, value }: Scope): string {
  if (setting === SEARCH_PATH_SETTING.setting) return PIN_TRANSACTION;
  return `set local ${setting} = ${quoteLiteral(value)}`;
}

/** Whether the database lacks the type that sets a setting: it has no schema of Tenantry's yet. Nothing was done then. */
export function isMissingSetter(error: unknown): boolean {
  const state = sqlState(error);
  return (
    (state === SQL_STATE.undefinedObject || state === SQL_STATE.invalidSchemaName) &&
    error instanceof Error &&
    /"tenantry(\.sets_\w+)?" does not exist/.test(error.message)
  );
}
