import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Gate } from "#api/http/limits/gate";

const here = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** What it fails with; undefined: it does not. */
function outcomeOf(entering: Promise<unknown>): Promise<unknown> {
  return entering.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** Whether it has come to anything yet. */
async function isWaiting(entering: Promise<unknown>): Promise<boolean> {
  let waiting = true;
  void outcomeOf(entering).then(() => {
    waiting = false;
    return waiting;
  });
  await vi.advanceTimersByTimeAsync(0);
  return waiting;
}

test("so many of a key run at once, and one more waits for its turn; other keys do not", async () => {
  const gate = new Gate(2);
  const leave = await gate.enter("a", here);
  await gate.enter("a", here);
  const third = gate.enter("a", here);
  expect(await isWaiting(third)).toBe(true);
  expect(await isWaiting(gate.enter("b", here))).toBe(false);
  leave();
  // Twice is once.
  leave();
  await third;
  expect(await isWaiting(gate.enter("a", here))).toBe(true);
});

test("who has waited long enough is refused, and takes no turn from who waits on", async () => {
  const gate = new Gate(1, 1_000);
  const leave = await gate.enter("a", here);
  const first = gate.enter("a", here);
  const refused = outcomeOf(first);
  await vi.advanceTimersByTimeAsync(600);
  const second = gate.enter("a", here);
  await vi.advanceTimersByTimeAsync(600);
  expect(await refused).toMatchObject({ code: "LIMIT_EXCEEDED", retryAfterSeconds: 1 });
  leave();
  await second;
});

test("who gives up takes no turn", async () => {
  const gate = new Gate(1);
  const leave = await gate.enter("a", here);
  const gone = new AbortController();
  const first = gate.enter("a", gone.signal);
  const second = gate.enter("a", here);
  const given = outcomeOf(first);
  gone.abort(new Error("gone"));
  expect(await given).toMatchObject({ message: "gone" });
  leave();
  await second;
});

test("when too many wait, one more is refused at once", async () => {
  const gate = new Gate(1);
  await gate.enter("a", here);
  const waiting = Array.from({ length: 10 }, () => gate.enter("a", here));
  await expect(gate.enter("a", here)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  await Promise.all(waiting.map((one) => expect(isWaiting(one)).resolves.toBe(true)));
  for (const one of waiting) one.catch(() => undefined);
});
