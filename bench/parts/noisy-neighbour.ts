import { type BenchPart, runScript } from "../part.ts";

export const part: BenchPart = {
  title: "A noisy neighbour",
  about: "A quiet organization's requests while another one floods the API, with its limits and without.",
  order: 100,
  minutes: 1,
  run: ({ quick }) => runScript("noisy-neighbour.ts", quick ? ["--rounds=1", "--seconds=1"] : []),
};
