import { expect, test } from "vitest";
import { Wakeup } from "#base/kernel/wakeup";

const LONG_MS = 600_000;

/** Whether the sleep ends within a few turns of the event loop. */
async function endsNow(sleep: Promise<void>): Promise<boolean> {
  let hasEnded = false;
  void sleep.then(() => {
    hasEnded = true;
  });
  for (let turn = 0; turn < 5 && !hasEnded; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return hasEnded;
}

test("a sleep lasts until somebody wakes the loop", async () => {
  const wakeup = new Wakeup();
  const sleep = wakeup.sleep(LONG_MS);
  expect(await endsNow(sleep)).toBe(false);
  wakeup.wake();
  expect(await endsNow(sleep)).toBe(true);
});

test("a wake-up during the loop's work ends the next sleep at once, and only that one", async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  wakeup.wake();
  expect(await endsNow(wakeup.sleep())).toBe(true);
  const second = wakeup.sleep();
  expect(await endsNow(second)).toBe(false);
  wakeup.wake();
  await second;
});

test("a loop without a pause has seen what woke it", async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  await wakeup.sleep(0);
  const next = wakeup.sleep(LONG_MS);
  expect(await endsNow(next)).toBe(false);
  wakeup.wake();
  await next;
});

test("a sleep ends when its time is over", async () => {
  const wakeup = new Wakeup();
  const before = performance.now();
  await wakeup.sleep(20);
  expect(performance.now() - before).toBeGreaterThanOrEqual(19);
});

test("a sleep ends when the signal is aborted, and does not begin afterwards", async () => {
  const wakeup = new Wakeup();
  const stop = new AbortController();
  const sleep = wakeup.sleep(LONG_MS, stop.signal);
  expect(await endsNow(sleep)).toBe(false);
  stop.abort();
  expect(await endsNow(sleep)).toBe(true);
  expect(await endsNow(wakeup.sleep(LONG_MS, stop.signal))).toBe(true);
});
