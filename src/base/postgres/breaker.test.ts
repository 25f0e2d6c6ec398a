import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Breaker, ServerAwayError } from "#base/postgres/breaker";
import { isConnectionFailure } from "#base/postgres/sql-state";

const refused = () => Promise.reject(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }));

test("a server that could not be reached is asked again only after a pause, by one caller, and then by all", async () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(1_000);
  const breaker = new Breaker();
  const work = vi.fn<() => Promise<string>>().mockImplementation(refused);
  await expect(breaker.run(work)).rejects.toThrow("refused");
  await expect(breaker.run(work)).rejects.toThrow(ServerAwayError);
  expect(work).toHaveBeenCalledTimes(1);
  now.mockReturnValue(2_000);
  const pending = Promise.withResolvers<string>();
  work.mockReturnValue(pending.promise);
  const trial = breaker.run(work);
  await expect(breaker.run(work)).rejects.toThrow(ServerAwayError);
  pending.resolve("back");
  expect(await trial).toBe("back");
  expect(await Promise.all([breaker.run(work), breaker.run(work)])).toEqual(["back", "back"]);
});

test("the pause grows while the server stays away, up to a bound", async () => {
  const now = vi.spyOn(performance, "now");
  const breaker = new Breaker();
  const work = vi.fn<() => Promise<never>>(refused);
  let clock = 0;
  const asked: number[] = [];
  for (; clock < 40_000; clock += 50) {
    now.mockReturnValue(clock);
    const before = work.mock.calls.length;
    await breaker.run(work).catch(() => undefined);
    if (work.mock.calls.length > before) asked.push(clock);
  }
  const pauses = asked.slice(1).map((at, index) => at - (asked[index] ?? 0));
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000, 5_000, 5_000]);
});

test("an error that the server sent, and a connection that broke, do not count", async () => {
  const breaker = new Breaker();
  const failing = (error: object) => async () => {
    throw Object.assign(new Error("no"), error);
  };
  await expect(breaker.run(failing({ code: "23505" }))).rejects.toThrow("no");
  await expect(breaker.run(failing({ code: "57P01" }))).rejects.toThrow("no");
  expect(await breaker.run(async () => "asked")).toBe("asked");
  expect(isConnectionFailure(new ServerAwayError())).toBe(true);
});

describe("with a probe", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test("no caller tries: the server is tried beside them, until it is back", async () => {
    vi.useFakeTimers();
    const probe = vi.fn<() => Promise<unknown>>().mockImplementation(refused);
    const breaker = new Breaker({ probe });
    const work = vi.fn<() => Promise<string>>().mockImplementationOnce(refused).mockResolvedValue("asked");
    await expect(breaker.run(work)).rejects.toThrow("refused");
    await vi.advanceTimersByTimeAsync(5_000);
    await expect(breaker.run(work)).rejects.toThrow(ServerAwayError);
    expect(work).toHaveBeenCalledTimes(1);
    expect(probe).toHaveBeenCalledTimes(10);
    probe.mockResolvedValue(undefined);
    await vi.advanceTimersByTimeAsync(500);
    expect(await breaker.run(work)).toBe("asked");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(probe).toHaveBeenCalledTimes(11);
  });

  test("tries that get no answer are bounded, and one that gets one is enough", async () => {
    vi.useFakeTimers();
    const answers: PromiseWithResolvers<void>[] = [];
    const breaker = new Breaker({
      probe: () => {
        const answer = Promise.withResolvers<void>();
        answers.push(answer);
        return answer.promise;
      },
    });
    await expect(breaker.run(refused)).rejects.toThrow("refused");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers).toHaveLength(10);
    answers[7]?.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(await breaker.run(async () => "asked")).toBe("asked");
  });

  test("a server that answers with an error is there, and one that was closed is not tried", async () => {
    vi.useFakeTimers();
    const probe = vi.fn<() => Promise<unknown>>().mockRejectedValue(Object.assign(new Error("no"), { code: "53300" }));
    const breaker = new Breaker({ probe });
    await expect(breaker.run(refused)).rejects.toThrow("refused");
    await vi.advanceTimersByTimeAsync(500);
    expect(await breaker.run(async () => "asked")).toBe("asked");
    breaker.close();
    await expect(breaker.run(refused)).rejects.toThrow("refused");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(probe).toHaveBeenCalledTimes(1);
  });
});

test("it tells once that the server is away, and once that it answers again", async () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(1_000);
  const away = vi.fn<() => void>();
  const answers = vi.fn<() => void>();
  const breaker = new Breaker({ away, answers });
  await breaker.run(async () => "there");
  for (const at of [2_000, 12_000]) {
    now.mockReturnValue(at);
    await expect(breaker.run(refused)).rejects.toThrow("refused");
  }
  expect([away.mock.calls.length, answers.mock.calls.length]).toEqual([1, 0]);
  now.mockReturnValue(22_000);
  // With an error, but it answers.
  await expect(breaker.run(() => Promise.reject(Object.assign(new Error("no"), { code: "42501" })))).rejects.toThrow(
    "no",
  );
  await breaker.run(async () => "there");
  expect([away.mock.calls.length, answers.mock.calls.length]).toEqual([1, 1]);
});

test("it says how the server stands, and since when", async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_000 });
  onTestFinished(() => void vi.useRealTimers());
  const breaker = new Breaker();
  expect(breaker.standing).toEqual({ breaker: "closed", since: null });
  await breaker.run(async () => "there");
  vi.setSystemTime(2_000);
  await breaker.run(async () => "still there");
  expect(breaker.standing).toEqual({ breaker: "closed", since: new Date(1_000) });
  vi.setSystemTime(3_000);
  await expect(breaker.run(refused)).rejects.toThrow("refused");
  expect(breaker.standing).toEqual({ breaker: "open", since: new Date(3_000) });
  vi.advanceTimersByTime(10_000);
  const pending = Promise.withResolvers<string>();
  const trial = breaker.run(() => pending.promise);
  expect(breaker.standing).toEqual({ breaker: "trying", since: new Date(3_000) });
  pending.resolve("back");
  await trial;
  expect(breaker.standing).toEqual({ breaker: "closed", since: new Date(13_000) });
});
