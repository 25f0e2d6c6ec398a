import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Replication on demand",
  about:
    "*Parked* is Tenantry. *Attached* are the same databases with every subscription enabled for good and no worker. Each number of databases has two servers of its own, home and a region, all in one run, taken in turn.",
  order: 40,
  minutes: 7,
  run: ({ quick }) =>
    runScript("replication.ts", quick ? ["--no-fsync", "--quick"] : ["--no-fsync", "--only=comments,rest,latency"]),
};
