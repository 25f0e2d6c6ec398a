import { expect, test } from "vitest";
import { PerLink } from "#engine/border/per-link";

const member = () => ({ end: () => undefined });

test("the links of one region cannot use up the permits of another's", () => {
  const streams = new PerLink(2);
  const [first, second] = [member(), member()];
  expect(streams.enter("eu", first)).toBe(true);
  expect(streams.enter("eu", second)).toBe(true);
  expect(streams.enter("eu", member())).toBe(false);
  expect(streams.enter("us", member())).toBe(true);
  streams.leave("eu", first);
  expect(streams.enter("eu", member())).toBe(true);
});
