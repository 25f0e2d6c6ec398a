/** What the numbers were measured on, without the machine's name. */
import { cpus, totalmem } from "node:os";

/** Of the servers that the benches start, unless they say another. */
export const POSTGRES_VERSION = "18.4";

export function describeMachine(): string {
  const [first] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GB`;
  return [
    `PostgreSQL ${POSTGRES_VERSION}, Node ${process.versions.node}, ${process.platform}-${process.arch}`,
    `${cpus().length} cores (${first?.model ?? "unknown"}), ${memory} of memory`,
  ].join("; ");
}
