import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "A soak",
  about:
    "Reads, writes, lists, subscriptions and bad requests of many callers at once. The first and the last third are compared. `pnpm bench:soak` takes ten minutes.",
  order: 140,
  minutes: 3,
  run: ({ quick }) => runScript("soak.ts", quick ? ["--minutes=1.2"] : ["--minutes=2.5"]),
};
