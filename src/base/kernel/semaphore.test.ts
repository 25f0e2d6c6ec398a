import { expect, test } from "vitest";
import { Semaphore } from "#base/kernel/semaphore";

test("so many run at once, the others in their order, also after a failure", async () => {
  const semaphore = new Semaphore(2);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const running = gates.map((gate, index) =>
    semaphore
      .withPermit(async () => {
        begun.push(index);
        await gate.promise;
      })
      .catch(() => undefined),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  gates[1]?.reject(new Error("no"));
  await running[1];
  expect(begun).toEqual([0, 1, 2]);
  gates[0]?.resolve();
  await running[0];
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const gate of gates) gate.resolve();
  await Promise.all(running);
});

test("waiting ends with its signal, and the permit goes to the next", async () => {
  const semaphore = new Semaphore(1);
  const gate = Promise.withResolvers<void>();
  const first = semaphore.withPermit(() => gate.promise);
  const stop = new AbortController();
  const second = semaphore.withPermit(() => Promise.resolve("second"), stop.signal);
  const third = semaphore.withPermit(() => Promise.resolve("third"));
  stop.abort(new Error("stopped"));
  await expect(second).rejects.toThrow("stopped");
  gate.resolve();
  await first;
  expect(await third).toBe("third");
});
