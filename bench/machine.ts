/** What the numbers were measured on, without the machine's name. */
import { cpus, totalmem } from "node:os";

export function describeMachine(postgresVersion: string): string {
  const [first] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GB`;
  return [
    `PostgreSQL ${postgresVersion}, Node ${process.versions.node}, ${process.platform}-${process.arch}`,
    `${cpus().length} cores (${first?.model ?? "unknown"}), ${memory} of memory`,
    new Date().toISOString().slice(0, 10),
  ].join("; ");
}
