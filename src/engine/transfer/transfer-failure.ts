/** What went wrong between a placement's database and a folder, for whoever asked. */
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";

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
    if (isConnectionFailure(cause))
      throw new TenantryError("REGION_UNAVAILABLE", `The region ${region} cannot be reached now. ${again}`, { cause });
    if (sqlState(cause) === SQL_STATE.undefinedDatabase)
      throw new TenantryError("CONFLICT", "The placement has no database, not yet or not any more.", { cause });
    if (isFileFailure(cause)) throw invalidInput("folder", `The folder cannot be used: ${redactedMessage(cause)}.`);
    throw cause;
  }
}

function isFileFailure(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && "code" in error && sqlState(error) === undefined;
}
