import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { OPERATOR } from "#engine/auth/actor";
import type { SignIn } from "#engine/auth/sign-in";
import { endWithSignIn } from "#api/http/guards/end-with-sign-in";

const signIn: SignIn = {
  mode: "bearer",
  identify: () => Promise.reject(new Error("not asked")),
  onEnded: () => () => undefined,
};

type Followed = { next: () => Promise<IteratorResult<{ errors?: { message: string }[] }, undefined>> };

/** What is followed by a caller whose sign-in ends then; nothing ever happens in it. */
async function following(expiresAt: Date): Promise<Followed> {
  const signedIn = { actor: OPERATOR, expiresAt, keyId: null, identity: null, tokenSubject: "ada" };
  const silent = { [Symbol.asyncIterator]: () => silent, next: () => new Promise(() => undefined) };
  let followed: unknown;
  const hooks = await endWithSignIn(signIn).onSubscribe?.({} as never);
  hooks?.onSubscribeResult?.({
    result: silent,
    setResult: (result: unknown) => {
      followed = result;
    },
    args: { contextValue: { signedIn } },
  } as never);
  return followed as Followed;
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("what is followed ends with the sign-in", () => {
  test("at its moment, also when that is further off than a timer can wait", async () => {
    const days = 24 * 60 * 60_000;
    const stream = await following(new Date(Date.now() + 60 * days));
    let ended = 0;
    void stream.next().then(() => (ended += 1));
    await vi.advanceTimersByTimeAsync(59 * days);
    expect({ ended, timers: vi.getTimerCount() }).toEqual({ ended: 0, timers: 1 });
    await vi.advanceTimersByTimeAsync(days);
    expect({ ended, timers: vi.getTimerCount() }).toEqual({ ended: 1, timers: 0 });
  });

  test("at once when its end is no moment, without a timer that comes again and again", async () => {
    const stream = await following(new Date(1e300));
    expect(vi.getTimerCount()).toBe(0);
    expect((await stream.next()).value?.errors?.[0]?.message).toContain("sign in and subscribe again");
    expect((await stream.next()).done).toBe(true);
  });
});
