import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Log lines and traces",
  about: "CPU of the process for each request, with lines in the log and traces, and without.",
  order: 110,
  minutes: 1,
  run: ({ quick }) => runScript("telemetry.ts", quick ? ["--requests=200", "--rounds=1"] : []),
};
