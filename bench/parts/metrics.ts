import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "A scrape",
  about: "A scrape of the metrics with very many tenant databases at home, which are rows and links without databases.",
  order: 120,
  minutes: 1.5,
  run: ({ quick }) => runScript("metrics.ts", quick ? ["--databases=50", "--scrapes=3"] : []),
};
