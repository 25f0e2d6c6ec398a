/**
 * Entries about content: written beside it, in the database that holds it, by the same statement. That costs no round trip
 * and no transaction more, and neither can be without the other.
 */
import type { Origin, SubjectKind } from "#audit/entry";
import { type AuditContext, cannotRecord, NOTHING, recorded } from "#audit/record";
import { newId } from "#kernel/ids";
import type { DatabaseKind, Queryable } from "#postgres/database";
import { sqlState, SQL_STATE } from "#postgres/sql-state";

/** Who writes content, by which mutation. */
export type ContentAct = { origin: Origin; action: string };

/** A part of a `with` statement, beside one that is called `added`, and the values of its parameters. */
export type EntryPart = { readonly text: string; readonly values: readonly unknown[] };

const NO_PART: EntryPart = { text: "", values: [] };

type Written = {
  database: Queryable<DatabaseKind>;
  kind: SubjectKind;
  organizationId: string | null;
  /** How many parameters the statement has without the entry. */
  parameters: number;
};

/**
 * Has `write` send a statement with the part that writes the entry of each row it adds. A tenant database of the version before
 * the audit log is served too: there the entry is at home, without the content's id. CAPABILITY_MISSING, with nothing written,
 * where the log cannot be.
 */
export async function recordingContent<Result>(
  context: AuditContext,
  act: ContentAct,
  { database, kind, organizationId, parameters }: Written,
  write: (part: EntryPart) => Promise<Result>,
): Promise<Result> {
  try {
    return await write(entryPart(database.kind, act, kind, parameters + 1));
  } catch (error) {
    if (!isAboutLog(error)) throw error;
    if (database.kind !== "tenant" || sqlState(error) !== SQL_STATE.undefinedTable) {
      context.logger.error({ err: error }, "the audit log cannot be written");
      throw cannotRecord(error);
    }
  }
  return recorded(context, { ...act, what: { ...NOTHING, organizationId } }, () => write(NO_PART));
}

function entryPart(database: DatabaseKind, act: ContentAct, kind: SubjectKind, first: number): EntryPart {
  const { origin, action } = act;
  const values = [newId(), origin.who, origin.whoId, origin.via, origin.address, origin.userAgent, action, kind];
  const [id, who, whoId, via, address, userAgent, what, subject] = values.map((_, index) => `$${first + index}`);
  // At home the outcome stands in the entry; a region's has none, as there is no entry without the row.
  const text = `, logged as (
    insert into tenantry.audit_log (organization_id, ${database === "home" ? "outcome" : "database_id"},
      id, who, who_id, via, address, user_agent, action, subject_kind, subject_id)
    select organization_id, ${database === "home" ? "'OK'" : "database_id"},
      ${id}::uuid, ${who}, ${whoId}, ${via}, ${address}::inet, ${userAgent}, ${what}, ${subject}, added.id from added
  )`;
  return { text, values };
}

/** The driver says which relation only in words for some errors. */
function isAboutLog(error: unknown): boolean {
  return error instanceof Error && /\baudit_log\b/.test(error.message) && sqlState(error) !== undefined;
}
