import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "Copying what moves",
  about:
    "The rows of one placement from one server to another, as a move copies and compares them, beside `pg_dump` and `psql`.",
  order: 95,
  minutes: 0.5,
  run: ({ quick }) => runScript("move-copy.ts", quick ? ["--mb=2", "--rounds=1"] : ["--mb=100", "--rounds=1"]),
};
