import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "The gateway",
  about: "A stream through the gateway beside a direct one between the same two servers, in turn.",
  order: 50,
  minutes: 2,
  run: ({ quick }) => runScript("border.ts", quick ? ["--no-fsync", "--quick"] : ["--no-fsync"]),
};
