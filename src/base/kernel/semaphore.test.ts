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
