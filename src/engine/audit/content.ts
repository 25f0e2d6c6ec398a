/**
 * Entries about content: written beside it, in the database that holds it, by the same statement. That costs no round trip
 * and no transaction more, and neither can be without the other.
 */
import { type CallSource, OK, type SubjectKind } from "#engine/audit/entry";
import { type AuditContext, cannotRecord } from "#engine/audit/record";
import { newId } from "#base/kernel/ids";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { sqlState } from "#base/postgres/sql-state";

/** Who writes content, by which mutation. */
export type ContentAct = { callSource: CallSource; action: string };

/** A part of a `with` statement, to stand behind another one, and the values of its parameters. */
export type EntryPart = { readonly text: string; readonly values: readonly unknown[] };

/** What the statement adds besides the entry. */
type Written = {
  database: Queryable<DatabaseKind>;
  kind: SubjectKind;
  id: string;
  /** 0: home. */
  databaseId: number;
  organizationId: string | null;
  /** How many parameters the statement has without the entry. */
  parameters: number;
  /** The part of the statement whose row the entry is about, where there may be none: then there is no entry. */
  onlyWith?: string;
};

/**
 * Has `write` send a statement with the part that writes the entry of the row it adds. CAPABILITY_MISSING, with nothing
 * written, where the log cannot be.
 */
export async function recordingContent<Result>(
  context: AuditContext,
  act: ContentAct,
  written: Written,
  write: (part: EntryPart) => Promise<Result>,
): Promise<Result> {
  try {
    return await write(entryPart(act, written));
  } catch (error) {
    if (!isAboutLog(error)) throw error;
    context.logger.error({ err: error }, "the audit log cannot be written");
    throw cannotRecord(error);
  }
}

/** With their types, which a select has to say. Home keeps what an entry is about as text. */
const COLUMNS = {
  id: "uuid",
  organization_id: "uuid",
  who: "text",
  who_id: "text",
  via: "text",
  address: "inet",
  user_agent: "text",
  action: "text",
  subject_kind: "text",
};

/**
 * With values of its own: a select from the row that is added would cost the server twice as much (126 µs against 62 µs of
 * CPU, beside 230 µs for the row alone).
 */
function entryPart(
  { callSource, action }: ContentAct,
  { database, kind, id, databaseId, organizationId, parameters, onlyWith }: Written,
) {
  const { who, whoId, via, address, userAgent } = callSource;
  const common = [newId(), organizationId, who, whoId, via, address, userAgent, action, kind, id];
  // At home the outcome stands in the entry; a region's has none, as there is no entry without the row.
  const [column, value] =
    database.kind === "home" ? (["outcome", OK] as const) : (["database_id", databaseId] as const);
  return { text: textOfPart(parameters, column, onlyWith), values: [...common, value] };
}

/** The same text for the same statement: what is sent again and again is not put together each time. */
const texts = new Map<string, string>();

function textOfPart(parameters: number, column: "outcome" | "database_id", onlyWith: string | undefined): string {
  const key = `${parameters} ${column} ${onlyWith}`;
  const found = texts.get(key);
  if (found !== undefined) return found;
  const columns: Record<string, string> =
    column === "outcome"
      ? { ...COLUMNS, subject_id: "text", outcome: "text" }
      : { ...COLUMNS, subject_id: "uuid", database_id: "int" };
  const placeholders = Object.values(columns).map((type, index) => {
    const placeholder = `$${parameters + 1 + index}`;
    return onlyWith === undefined ? placeholder : `${placeholder}::${type}`;
  });
  const values = placeholders.join(", ");
  const rows = onlyWith === undefined ? `values (${values})` : `select ${values} from ${onlyWith}`;
  const text = `, logged as (insert into tenantry.audit_log (${Object.keys(columns).join(", ")}) ${rows})`;
  texts.set(key, text);
  return text;
}

/** The driver says which relation only in words for some errors. */
function isAboutLog(error: unknown): boolean {
  return error instanceof Error && /\baudit_log\b/.test(error.message) && sqlState(error) !== undefined;
}
