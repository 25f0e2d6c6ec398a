import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Moves",
  about:
    "An organization goes from one region to the other and back, again and again, while callers read and write it through the API. A way that is far is held back in both directions.",
  order: 94,
  minutes: 2,
  run: ({ quick }) =>
    runScript(
      "move.ts",
      quick ? ["--no-fsync", "--moves=2", "--mb=1", "--neighbours=3"] : ["--no-fsync", "--moves=12"],
    ),
};
