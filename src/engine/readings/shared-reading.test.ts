import { describe, expect, test } from "vitest";
import { currentCall, inCall } from "#base/kernel/call";
import { LateReading, SharedReading } from "#engine/readings/shared-reading";

const OPTIONS = { freshMs: 60_000, deadlineMs: 60_000 };

describe("a shared reading", () => {
  test("is made once for all who ask at the same time, and serves those who ask soon after", async () => {
    let reads = 0;
    const reading = new SharedReading(() => Promise.resolve((reads += 1)), OPTIONS);
    expect(await Promise.all([reading.get(), reading.get(), reading.get()])).toEqual([1, 1, 1]);
    expect(await reading.get()).toBe(1);
  });

  test("is made anew when it has served for long enough", async () => {
    let reads = 0;
    const reading = new SharedReading(() => Promise.resolve((reads += 1)), { ...OPTIONS, freshMs: 0 });
    expect(await reading.get()).toBe(1);
    await expect.poll(() => reading.get()).toBeGreaterThan(1);
  });

  test("fails for all who wait for it, and is made anew for the next", async () => {
    let reads = 0;
    const read = () => {
      reads += 1;
      return reads === 1 ? Promise.reject(new Error("away")) : Promise.resolve(reads);
    };
    const reading = new SharedReading(read, OPTIONS);
    expect((await Promise.allSettled([reading.get(), reading.get()])).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    expect(await reading.get()).toBe(2);
  });

  test("that hangs is not begun a second time, and nobody waits for it for longer than its deadline", async () => {
    const hanging = Promise.withResolvers<number>();
    let reads = 0;
    const read = () => {
      reads += 1;
      return hanging.promise;
    };
    const reading = new SharedReading(read, { ...OPTIONS, deadlineMs: 20 });
    await expect(reading.get()).rejects.toThrow(LateReading);
    await expect(reading.get()).rejects.toThrow("no answer within 0.02 s");
    expect(reads).toBe(1);
    hanging.resolve(7);
    await expect.poll(() => reading.get().catch(() => undefined)).toBe(7);
    expect(reads).toBe(1);
  });

  test("is part of nobody's call, as others share it, and each of its statements has the deadline", async () => {
    const caller = new AbortController();
    const reading = new SharedReading(() => Promise.resolve(currentCall()), OPTIONS);
    const call = await inCall({ signal: caller.signal }, () => reading.get());
    caller.abort(new Error("the caller left"));
    expect(call?.signal.aborted).toBe(false);
    expect(call?.statementTimeoutMs).toBe(60_000);
  });
});
