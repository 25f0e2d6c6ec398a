/** What PostgreSQL's programs say when they fail, as one sentence for the person at the terminal. */
import { TenantryError } from "#base/kernel/errors";

/** `output` is what initdb or the server wrote, the newest last. */
export function explainFailure(output: string, server: { name: string; folder: string; port: number }): TenantryError {
  const { name, folder, port } = server;
  if (/shared memory segment.*No space left on device/i.test(output))
    return new TenantryError(
      "LIMIT_EXCEEDED",
      `There is too little shared memory for the embedded PostgreSQL server ${name}: make /dev/shm larger.`,
    );
  if (/No space left on device|Disk quota exceeded|Check free disk space/i.test(output))
    return new TenantryError(
      "LIMIT_EXCEEDED",
      `The disk that holds ${folder} is full, so the embedded PostgreSQL server ${name} cannot run: make room, or set TENANTRY_DATA_DIR to a folder on another one.`,
    );
  if (/could not bind .*Address already in use/i.test(output)) return portTaken(name, port);
  return new TenantryError(
    "INTERNAL",
    `The embedded PostgreSQL server ${name} did not start: ${decisiveLine(output)} (more in ${folder}.log).`,
  );
}

/** The sentence for a port that something else listens on. */
export function portTaken(name: string, port: number): TenantryError {
  return new TenantryError(
    "CONFLICT",
    `Port ${port} is in use by another program, and the embedded PostgreSQL server ${name} is registered under it: stop that program, then start again.`,
  );
}

const DECISIVE = /^.*?\b(FATAL|PANIC|ERROR|error): +/;

// "2026-01-01 00:00:00 UTC [1] FATAL:  …" or "initdb: error: …"; a detail or a hint follows on lines of its own.
function decisiveLine(output: string): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const decisive = lines.findLast((line) => DECISIVE.test(line)) ?? lines.at(-1);
  const text = decisive?.replace(DECISIVE, "").trim() ?? "";
  return text === "" ? "it ended without a word" : text;
}
