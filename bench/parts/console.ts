import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "The console",
  about: "The operator's page in a browser on the same machine.",
  order: 130,
  minutes: 2,
  run: ({ quick }) => runScript("console.ts", quick ? ["--placements=20", "--looks=2"] : []),
};
