/** A subscription lasts no longer than what its caller signed in with. */
import { GraphQLError } from "graphql";
import type { Plugin } from "graphql-yoga";
import { TenantryError } from "#base/kernel/errors";
import { canBeEnded } from "#engine/auth/ended-sign-ins";
import { type SignedIn, type SignIn, signInClockMs } from "#engine/auth/sign-in";
import type { GraphQLContext } from "#api/graphql/context";

/** Timers take no longer pause than this. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Ends what is followed when what its caller signed in with has ended, with UNAUTHENTICATED as the last event. */
export function endWithSignIn(signIn: SignIn): Plugin<GraphQLContext> {
  return {
    onSubscribe() {
      return {
        onSubscribeResult({ result, setResult, args }) {
          const { signedIn } = args.contextValue as GraphQLContext;
          if (Symbol.asyncIterator in result && canEnd(signedIn))
            setResult(until(result, whenOver(signIn, signedIn)) as typeof result);
        },
      };
    },
  };
}

type End = { over: Promise<void>; forget: () => void };

/** Whether it is over at some time. */
export function canEnd(signedIn: SignedIn): boolean {
  return signedIn.expiresAt !== null || canBeEnded(signedIn);
}

/**
 * When what somebody signed in with has expired, or home knows it no longer; also when that is so already. `forget` when nobody
 * waits for it any more.
 */
export function whenOver(signIn: SignIn, signedIn: SignedIn): End {
  const { expiresAt } = signedIn;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    const left = (expiresAt?.getTime() ?? Infinity) - signInClockMs(signedIn);
    if (!(left > 0)) resolve();
    else timer = setTimeout(wait, Math.min(left, MAX_TIMER_MS)).unref();
  };
  wait();
  const unhear = signIn.onEnded(signedIn, resolve);
  return {
    over,
    forget: () => {
      clearTimeout(timer);
      unhear();
    },
  };
}

const OVER = Symbol("over");

function until(results: AsyncIterable<unknown>, { over, forget }: End): AsyncIterableIterator<unknown> {
  const source = results[Symbol.asyncIterator]();
  const ended = over.then(() => OVER);
  let done = false;
  const finish = () => {
    done = true;
    forget();
  };
  return {
    async next() {
      if (done) return { value: undefined, done: true };
      const next = source.next();
      // In this order what comes after the end is not shown.
      const first = await Promise.race([ended, next]);
      if (first !== OVER) {
        const result = first as IteratorResult<unknown>;
        if (result.done === true) finish();
        return result;
      }
      finish();
      next.catch(() => undefined);
      // Not awaited: a source that waits for its next event returns only then.
      void source.return?.().catch(() => undefined);
      const cause = new TenantryError("UNAUTHENTICATED", "Your token or key has ended: sign in and subscribe again.");
      return { value: { errors: [new GraphQLError(cause.message, { cause })] }, done: false };
    },
    async return() {
      finish();
      await source.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
