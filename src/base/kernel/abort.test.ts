import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { onAbort, orAborted } from "./abort.ts";

const count = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

test("all who wait for a signal are told, by one listener of it", () => {
  const controller = new AbortController();
  const told: string[] = [];
  onAbort(controller.signal, () => told.push("one"));
  onAbort(controller.signal, () => told.push("other"))();
  onAbort(controller.signal, () => told.push("third"));
  expect(count(controller.signal)).toBe(1);
  controller.abort();
  expect(told).toEqual(["one", "third"]);
});

test("a signal that nobody waits for any more has no listener", async () => {
  const { signal } = new AbortController();
  await orAborted(signal, Promise.resolve("done"));
  await expect(orAborted(signal, Promise.reject(new Error("failed")))).rejects.toThrow("failed");
  expect(count(signal)).toBe(0);
  const forget = onAbort(signal, () => undefined);
  expect(count(signal)).toBe(1);
  forget();
  forget();
  expect(count(signal)).toBe(0);
});
