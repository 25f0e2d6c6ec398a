import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Fleet migration",
  about:
    "The bare loop connects, sends the migration as one message and disconnects. Ours plans, records, compares schemas and renews the template too.",
  order: 70,
  minutes: 2,
  run: ({ quick }) => runScript("migrations.ts", quick ? ["--no-fsync", "--quick"] : ["--no-fsync", "--databases=200"]),
};
