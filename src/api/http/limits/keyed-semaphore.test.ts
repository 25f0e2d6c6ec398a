import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KeyedSemaphore } from "#api/http/limits/keyed-semaphore";

const here = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What it fails with; undefined: it does not. */
function outcomeOf(acquiring: Promise<unknown>): Promise<unknown> {
  return acquiring.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Whether it has come to anything yet. */
async function isWaiting(acquiring: Promise<unknown>): Promise<boolean> {
  let waiting = true;
  void outcomeOf(acquiring).then(() => {
    waiting = false;
    return waiting;
  });
  await vi.advanceTimersByTimeAsync(0);
  return waiting;
}

test("so many of a key run at once, and one more waits for a permit; other keys do not", async () => {
  const semaphore = new KeyedSemaphore(2);
  const release = await semaphore.acquire("a", here);
  await semaphore.acquire("a", here);
  const third = semaphore.acquire("a", here);
  expect(await isWaiting(third)).toBe(true);
  expect(await isWaiting(semaphore.acquire("b", here))).toBe(false);
  release();
  // Twice is once.
  release();
  await third;
  expect(await isWaiting(semaphore.acquire("a", here))).toBe(true);
});

test("a caller that has waited too long is refused, and takes no permit from those that wait on", async () => {
  const semaphore = new KeyedSemaphore(1, 1_000);
  const release = await semaphore.acquire("a", here);
  const first = semaphore.acquire("a", here);
  const refused = outcomeOf(first);
  await vi.advanceTimersByTimeAsync(600);
  const second = semaphore.acquire("a", here);
  await vi.advanceTimersByTimeAsync(600);
  expect(await refused).toMatchObject({ code: "LIMIT_EXCEEDED", retryAfterSeconds: 1 });
  release();
  await second;
});

test("a caller that gives up takes no permit", async () => {
  const semaphore = new KeyedSemaphore(1);
  const release = await semaphore.acquire("a", here);
  const gone = new AbortController();
  const first = semaphore.acquire("a", gone.signal);
  const second = semaphore.acquire("a", here);
  const given = outcomeOf(first);
  gone.abort(new Error("gone"));
  expect(await given).toMatchObject({ message: "gone" });
  release();
  await second;
});

test("when too many wait, one more is refused at once", async () => {
  const semaphore = new KeyedSemaphore(1);
  await semaphore.acquire("a", here);
  const waiting = Array.from({ length: 10 }, () => semaphore.acquire("a", here));
  await expect(semaphore.acquire("a", here)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  await Promise.all(waiting.map((one) => expect(isWaiting(one)).resolves.toBe(true)));
  for (const one of waiting) one.catch(() => undefined);
});
