/** What an application brings to the API. */

/** An example operation of the explorer, in the order of a journey. */
export type JourneyStep = {
  title: string;
  /** What it does and what to look at, in a sentence or two. */
  text: string;
  query: string;
  /**
   * `{{name}}` stands for something an earlier step saved, or for what the page knows: `unique` (a fresh text),
   * `regionUrl.eu`, `regionUrl.us`.
   */
  variables: Record<string, unknown>;
  /** What later steps need of the answer: a name and the path to it below `data`. */
  saves?: Record<string, string>;
};

/** What the API has besides the engine's own types. A team with tables of its own has no types of its own here. */
export type Application = {
  /** What the explorer shows; left out: nothing. */
  readonly journey?: readonly JourneyStep[];
};
