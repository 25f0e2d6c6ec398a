import { expect, test } from "vitest";
import { type Backend, isForgotten } from "#base/postgres/silent-backends";

const doing = (state: string | null, quietMs = 60_000): Backend => ({ state, quietMs });

test.each<[string, Backend | undefined, number, boolean]>([
  ["that the server does not have any more", undefined, 0, true],
  ["for which the server is at work, for however long", doing("active"), 0, false],
  ["for which the server has been at rest for a while", doing("idle", 3_000), 100, true],
  ["whose transaction has been at rest for a while", doing("idle in transaction", 3_000), 100, true],
  ["whose transaction has failed a while ago", doing("idle in transaction (aborted)", 3_000), 100, true],
  ["to which an answer may be on its way", doing("idle", 1_000), 100, false],
  ["on which a long statement may be on its way", doing("idle", 20_000), 4_000_000, false],
  ["on which a long statement has not arrived in good time", doing("idle", 50_000), 4_000_000, true],
  ["of which the server says nothing", doing(null), 0, false],
  ["of a server that notes nothing", doing("disabled"), 0, false],
  ["for which the server runs a function", doing("fastpath function call"), 0, false],
])("a connection %s", (_, backend, sentBytes, forgotten) => {
  expect(isForgotten(backend, sentBytes)).toBe(forgotten);
});
