/** What went wrong between a placement's database and a folder, for whoever asked. */
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import { failedAt } from "#base/postgres/failed-at";
import { sqlState } from "#base/postgres/sql-state";
import { explainRefusal, HOME, regionNamed } from "#engine/failures/explain";

/** How far an export or an import is; rows and bytes are those of all files so far. */
export type TransferProgress = {
  doing: "exporting" | "checking" | "importing";
  file: string;
  rows: number;
  bytes: number;
};

export type TransferOptions = {
  onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Stops at the next piece, with the signal's reason. */
  signal?: AbortSignal | undefined;
};

/** Runs `work`; failures of the region's connection and of the folder become errors that say so. */
export async function explainTransfer<Result>(
  { region, again }: { region: string; again: string },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TenantryError) throw cause;
    const subject = failedAt(cause)?.kind === "home" ? HOME : regionNamed(region);
    const explained = explainRefusal(cause, subject, again);
    if (explained !== undefined) throw explained;
    if (isFileFailure(cause)) throw invalidInput("folder", `The folder cannot be used: ${redactedMessage(cause)}.`);
    throw cause;
  }
}

function isFileFailure(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && "code" in error && sqlState(error) === undefined;
}
