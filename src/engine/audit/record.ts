/**
 * Writing the log at home. What is done in transactions of its own gets two lines: one before anything is done, and its
 * outcome after it. So whatever was done has an entry, and one without an outcome says that nobody knows.
 */
import { type CallSource, OK, type What } from "#engine/audit/entry";
import { findConcern } from "#engine/audit/concern";
import { explainToCaller, HOME } from "#engine/failures/explain";
import { TenantryError } from "#base/kernel/errors";
import { failpoint } from "#base/kernel/failpoints";
import { newId } from "#base/kernel/ids";
import type { Queryable } from "#base/postgres/database";

/** `logger` hears what the caller is not told. */
export type AuditContext = {
  home: Queryable<"home">;
  logger: { error: (details: object, message: string) => void };
};

/** What is done, by whom. */
export type Act = { callSource: CallSource; action: string; what: What };

export const NOTHING: What = { subjectKind: null, subjectId: null, organizationId: null, placementId: null };

/**
 * Does it between its entry and the entry's outcome. `learn` says what the result adds. HOME_UNAVAILABLE or CAPABILITY_MISSING,
 * with nothing done, when the entry cannot be written. An outcome that cannot be written is logged: it was done, so the caller is told so.
 */
export async function recorded<Result>(
  context: AuditContext,
  act: Act,
  work: () => Promise<Result>,
  learn: (result: Result) => Partial<What> = () => ({}),
): Promise<Result> {
  const { home, logger } = context;
  const id = await mustRecord(context, async () => insertEntry(home, act, await findConcern(home, act.what), null));
  await failpoint("audit/begun");
  const finish = async (outcome: string, learned: Partial<What>) => {
    await failpoint("audit/done");
    await insertOutcome(home, id, outcome, learned).catch((error: unknown) => {
      logger.error({ err: error, entry: id }, "the outcome of an entry of the audit log could not be written");
    });
  };
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    await finish(outcomeOf(error), {});
    throw error;
  }
  await finish(OK, learn(result));
  return result;
}

/**
 * Writes that something was refused: nothing was done, so one line is enough. HOME_UNAVAILABLE or CAPABILITY_MISSING when it
 * cannot be written, so that nobody learns anything by attempts that leave no trace.
 */
export async function recordRefusal(context: AuditContext, act: Act, error: unknown): Promise<void> {
  const { home } = context;
  await mustRecord(context, async () => insertEntry(home, act, await findConcern(home, act.what), outcomeOf(error)));
}

/** The code that the caller is told: of an error of ours or of a server's refusal; anything else is INTERNAL. */
export function outcomeOf(error: unknown): string {
  return error instanceof TenantryError ? error.code : (explainToCaller(error)?.code ?? "INTERNAL");
}

/** What is said when there is no entry, and therefore nothing was done. HOME_UNAVAILABLE where home is away or read only. */
export function cannotRecord(cause: unknown): TenantryError {
  const refused = explainToCaller(cause, undefined, "The audit log cannot be written, so nothing was done.");
  if (refused?.code === HOME.unavailable) return refused;
  return new TenantryError(
    "CAPABILITY_MISSING",
    "The audit log cannot be written, so nothing was done: try again later, or tell the operator.",
    { cause },
  );
}

async function mustRecord<Result>({ logger }: AuditContext, write: () => Promise<Result>): Promise<Result> {
  try {
    return await write();
  } catch (error) {
    logger.error({ err: error }, "the audit log cannot be written");
    throw cannotRecord(error);
  }
}

async function insertEntry(
  home: Queryable<"home">,
  { callSource, action }: Act,
  what: What,
  outcome: string | null,
): Promise<string> {
  const id = newId();
  await home.query(
    "audit.begin",
    `insert into tenantry.audit_log
       (id, organization_id, placement_id, who, who_id, via, address, user_agent, action, subject_kind, subject_id, outcome)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      id,
      what.organizationId,
      what.placementId,
      callSource.who,
      callSource.whoId,
      callSource.via,
      callSource.address,
      callSource.userAgent,
      action,
      what.subjectKind,
      what.subjectId,
      outcome,
    ],
  );
  return id;
}

async function insertOutcome(
  home: Queryable<"home">,
  entryId: string,
  outcome: string,
  { organizationId, placementId, subjectId }: Partial<What>,
): Promise<void> {
  await home.query(
    "audit.end",
    `insert into tenantry.audit_outcomes (entry_id, outcome, organization_id, placement_id, subject_id)
     values ($1, $2, $3, $4, $5)`,
    [entryId, outcome, organizationId ?? null, placementId ?? null, subjectId ?? null],
  );
}
