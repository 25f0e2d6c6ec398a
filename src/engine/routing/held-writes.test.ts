import type { TenantryError } from "#base/kernel/errors";
import { expect, test } from "vitest";
import { inCall } from "#base/kernel/call";
import { type Attempt, HeldWrites, type HeldWritesOptions } from "#engine/routing/held-writes";

const WHERE = { placementNumber: 7, regionKey: "eu" };
const OTHER = { placementNumber: 8, regionKey: "eu" };

/** A database that refuses placement 7 until it is opened. */
function world(options: Partial<HeldWritesOptions> = {}) {
  const held = new HeldWrites({ maxMs: 5_000, maxWaiting: 10, pauseMs: 5, ...options });
  const state = { isOpen: false, asked: [] as Attempt[] };
  const write = (value: number) =>
    held.write(WHERE, async (how) => {
      state.asked.push(how);
      await Promise.resolve();
      if (!state.isOpen) throw Object.assign(new Error("closed"), { code: "TNCLS" });
      return value;
    });
  return { held, state, write };
}

test("those who come later wait without asking, and all go on when one has come through", async () => {
  const { held, state, write } = world({ pauseMs: 60_000 });
  const first = write(1);
  await expect.poll(() => state.asked).toEqual(["first", "anew"]);
  const others = [write(2), write(3)];
  expect(await held.write(OTHER, async (how) => how)).toBe("first");
  expect(state.asked).toEqual(["first", "anew"]);
  state.isOpen = true;
  held.announce();
  expect(await Promise.all([first, ...others])).toEqual([1, 2, 3]);
  expect(state.asked).toEqual(["first", "anew", "anew", "again", "again"]);
  expect(await write(4)).toBe(4);
  expect(state.asked.at(-1)).toBe("first");
});

test("it is looked again and again without an announcement", async () => {
  const { state, write } = world();
  const all = [write(1), write(2), write(3)];
  await expect.poll(() => state.asked.length).toBeGreaterThan(8);
  state.isOpen = true;
  expect(await Promise.all(all)).toEqual([1, 2, 3]);
});

test("whoever looks and gives up hands it on", async () => {
  const { state, write } = world();
  const gone = new AbortController();
  const hasty = inCall({ signal: gone.signal }, () => write(1));
  await expect.poll(() => state.asked.length).toBeGreaterThan(1);
  const patient = write(2);
  gone.abort(new Error("gone"));
  await expect(hasty).rejects.toThrow("gone");
  const before = state.asked.length;
  await expect.poll(() => state.asked.length).toBeGreaterThan(before + 2);
  state.isOpen = true;
  expect(await patient).toBe(2);
});

test("nobody waits for longer than the bound, nor do more", async () => {
  const { write } = world({ maxMs: 200, maxWaiting: 2 });
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map(write));
  const messages = results.map((result) => (result.status === "rejected" ? (result.reason as Error).message : "done"));
  expect(messages.toSorted()).toEqual([
    ...Array.from(
      { length: 2 },
      () =>
        "The organization's data in region eu is being moved, and too many changes wait for that. Nothing was changed: try again.",
    ),
    ...Array.from(
      { length: 3 },
      () =>
        "The organization's data in region eu is being moved, which takes longer than changes wait. Nothing was changed: try again.",
    ),
  ]);
  expect(
    results.every((result) => result.status === "rejected" && (result.reason as TenantryError).retryAfterSeconds === 1),
  ).toBe(true);
});

test("what fails otherwise is told at once, and the others go on", async () => {
  const { held, state, write } = world();
  const failing = held.write(WHERE, async () => {
    if (!state.isOpen) throw Object.assign(new Error("closed"), { code: "TNCLS" });
    throw new Error("revoked");
  });
  const others = [write(1), write(2)];
  await expect.poll(() => state.asked.length).toBeGreaterThan(0);
  state.isOpen = true;
  await expect(failing).rejects.toThrow("revoked");
  expect(await Promise.all(others)).toEqual([1, 2]);
});
