import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "A big tenant",
  about:
    "One organization with very many rows and members beside a small one whose callers must not notice. `copy` is PostgreSQL's own, of the same rows.",
  order: 80,
  minutes: 3,
  run: ({ quick }) =>
    runScript(
      "big-tenant.ts",
      quick
        ? ["--no-fsync", "--resources=2000", "--members=1000"]
        : ["--no-fsync", "--resources=100000", "--members=50000"],
    ),
};
