/** What is said of a server's refusal: a sentence for whoever asked, and a note for the operator. */
import { type ErrorCode, TenantryError } from "#base/kernel/errors";
import { redact, redactedMessage } from "#base/kernel/redaction";
import { failedAt } from "#base/postgres/failed-at";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { connectReason } from "#engine/failures/connect-failure";
import { type Refusal, refusalOf } from "#engine/failures/refusals";

/** Which server refused, as it is named to people, and the code for its being away. */
export type Subject = {
  readonly name: string;
  readonly unavailable: Extract<ErrorCode, "HOME_UNAVAILABLE" | "REGION_UNAVAILABLE">;
};

export const HOME: Subject = { name: "Home", unavailable: "HOME_UNAVAILABLE" };
/** Where it is not known which one. */
const SOME_REGION: Subject = { name: "The region's server", unavailable: "REGION_UNAVAILABLE" };

export function regionNamed(key: string): Subject {
  return { name: `The region ${key}`, unavailable: "REGION_UNAVAILABLE" };
}

/** When it is worth asking home again, in whole seconds: it is looked after all the time, and back at once. */
const HOME_RETRY_SECONDS = 1;
const MAX_WORDS_LENGTH = 500;

/** By where the error came from; undefined for one that no database gave. */
function placeOf(error: unknown): Subject | undefined {
  const at = failedAt(error);
  if (at === undefined) return undefined;
  return at.kind === "home" ? HOME : SOME_REGION;
}

/**
 * The error for whoever asked, which holds nothing of the server's own words; they are in `forOperator`. Undefined for what
 * no server refused, or for what is the fault of the statement. `more`: a sentence to follow.
 */
export function explainRefusal(
  error: unknown,
  subject = placeOf(error) ?? SOME_REGION,
  more?: string,
): TenantryError | undefined {
  const refusal = refusalOf(error);
  return refusal && asError(error, refusal, subject, sentences(`${subject.name} ${refusal.says}.`, more));
}

/**
 * The same for whoever called: says whether trying again helps. Where it may have happened all the same, the sentence says so, and
 * nobody is told when to try again. Undefined too for what no database has failed with.
 */
export function explainToCaller(error: unknown, subject = placeOf(error), more?: string): TenantryError | undefined {
  const refusal = refusalOf(error);
  if (refusal === undefined || subject === undefined) return undefined;
  const said = `${subject.name} ${refusal.says}.`;
  if (more === undefined && mayHaveHappened(error))
    return asError(error, refusal, subject, `${said} ${UNKNOWN}`, { isOutcomeUnknown: true });
  const next = refusal.retry ? "Try again later." : "Tell the operator.";
  return asError(error, refusal, subject, sentences(said, next, more));
}

/** The same where what was asked for had written something before: that is there, so nobody is told to try it again. */
export function explainAfterWriting(error: unknown, unavailable?: Subject["unavailable"]): TenantryError | undefined {
  const refusal = refusalOf(error);
  const subject = placeOf(error) ?? (unavailable === "HOME_UNAVAILABLE" ? HOME : unavailable && SOME_REGION);
  if (refusal?.code !== "UNAVAILABLE" || subject === undefined) return undefined;
  const said = `${subject.name} ${refusal.says}. ${UNKNOWN}`;
  return asError(error, refusal, subject, said, { isOutcomeUnknown: true });
}

const UNKNOWN = "What was being done there may have happened: look whether it has, before you do it again.";

/** Whether something was on its way when the connection was lost or the time was over, and nobody knows how far it came. */
function mayHaveHappened(error: unknown): boolean {
  const at = failedAt(error);
  // Without a place it is our own deadline, after which the statement goes on.
  return at === undefined ? isConnectionFailure(error) : at.isOutcomeUnknown === true;
}

function sentences(...all: (string | undefined)[]): string {
  return all.filter((one) => one !== undefined).join(" ");
}

function asError(
  cause: unknown,
  refusal: Refusal,
  { unavailable }: Subject,
  sentence: string,
  { isOutcomeUnknown = false } = {},
): TenantryError {
  const code = refusal.code === "UNAVAILABLE" ? unavailable : refusal.code;
  return new TenantryError(code, sentence, {
    cause,
    forOperator: `${wordsOf(cause)} ${refusal.remedy}`,
    ...(code === "HOME_UNAVAILABLE" && !isOutcomeUnknown && { retryAfterSeconds: HOME_RETRY_SECONDS }),
  });
}

/** All that may be said to the operator of whatever was thrown, without secrets. */
export function tellOperator(error: unknown): string {
  const said = error instanceof TenantryError ? error : explainRefusal(error);
  if (said === undefined) return redactedMessage(error);
  return redact(sentences(said.message, said.forOperator));
}

/** Which database, on which server, as which role, and what it said: on one line, without secrets. For the operator. */
export function wordsOf(error: unknown): string {
  const at = failedAt(error);
  const where = at === undefined ? "" : `Database ${at.database} on ${at.server}, as ${at.role}: `;
  const state = sqlState(error);
  const said = state === undefined ? (connectReason(error) ?? redactedMessage(error)) : redactedMessage(error);
  return `${where}${oneLine(`${said}${detailOf(error)}`)}${state === undefined ? "" : ` (SQLSTATE ${state})`}.`;
}

/** A region's server can say anything: its words are shown as one line of so many characters. */
export function oneLine(words: string): string {
  const line = words.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").replace(/[.\s]+$/, "");
  return line.slice(0, MAX_WORDS_LENGTH).toWellFormed();
}

/** Of what is in use, PostgreSQL says there how many use it. Details of other errors hold values of rows. */
function detailOf(error: unknown): string {
  if (sqlState(error) !== SQL_STATE.objectInUse) return "";
  return error instanceof Error && "detail" in error && typeof error.detail === "string" ? `: ${error.detail}` : "";
}
