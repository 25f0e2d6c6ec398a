/** What must not outlive the bench, however it ends: the servers and processes that it started. */
const works = new Set<() => void>();

process.on("exit", () => {
  for (const work of works) work();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** Calls `work`, which must not wait for anything, when the process ends. The returned function takes that back. */
export function atExit(work: () => void): () => void {
  works.add(work);
  return () => void works.delete(work);
}
