import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Export and import",
  about: "Comments of one placement, as files of JSON lines and back, beside the server alone.",
  order: 90,
  minutes: 1.5,
  run: ({ quick }) => runScript("export.ts", quick ? ["--no-fsync", "--mb=1"] : ["--no-fsync", "--mb=1,100,300"]),
};
