/**
 * A change that failed after it had written something, such as while its answer was read. Whoever asked for it must not be told to
 * try again: what it wrote is there.
 */
import { notingWrites } from "#base/kernel/call";
import { type ErrorCode, TenantryError } from "#base/kernel/errors";
import { explainAfterWriting } from "#engine/failures/explain";

const UNAVAILABLE: ReadonlySet<ErrorCode> = new Set(["HOME_UNAVAILABLE", "REGION_UNAVAILABLE"]);

/** Does a change. `written` is called when it has written something, and says of its error that it had. */
export async function changing<Result>(
  work: () => Promise<Result>,
  written: () => void = () => undefined,
): Promise<Result> {
  let hasWritten = false;
  const note = () => {
    hasWritten = true;
    written();
  };
  try {
    return await notingWrites(note, work);
  } catch (error) {
    throw hasWritten ? afterWriting(error) : error;
  }
}

/** The error for whoever asked, where a server being away is why a change that had written something failed. */
export function afterWriting(error: unknown): unknown {
  if (!(error instanceof TenantryError)) return explainAfterWriting(error) ?? error;
  if (!UNAVAILABLE.has(error.code)) return error;
  return explainAfterWriting(error.cause, error.code as "HOME_UNAVAILABLE") ?? error;
}
