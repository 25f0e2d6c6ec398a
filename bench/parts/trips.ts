import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Round trips",
  about:
    "Each operation with the regions near and far away. The difference, divided by the delay, is how many round trips it waits for.",
  order: 60,
  minutes: 3,
  run: ({ quick }) => runScript("trips.ts", quick ? ["--rounds=1", "--delay=20"] : []),
};
