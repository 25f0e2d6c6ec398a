/** A subscription lasts no longer than what its caller signed in with. */
import { GraphQLError } from "graphql";
import type { Plugin } from "graphql-yoga";
import { TenantryError } from "#base/kernel/errors";
import type { SignedIn, SignIn } from "#engine/auth/sign-in";
import type { GraphQLContext } from "#api/graphql/context";

/** Timers take no longer pause than this. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Ends what is followed when the token expires or the key is revoked, with UNAUTHENTICATED as the last event. */
export function endWithSignIn(signIn: SignIn): Plugin<GraphQLContext> {
  return {
    onSubscribe() {
      return {
        onSubscribeResult({ result, setResult, args }) {
          const { signedIn } = args.contextValue as GraphQLContext;
          if (!(Symbol.asyncIterator in result) || (signedIn.expiresAt === null && signedIn.keyId === null)) return;
          setResult(until(result, whenOver(signIn, signedIn)) as typeof result);
        },
      };
    },
  };
}

type End = { over: Promise<void>; forget: () => void };

/** When what somebody signed in with has expired or was revoked. `forget` when nobody waits for it any more. */
export function whenOver(signIn: SignIn, { expiresAt, keyId }: SignedIn): End {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    const left = (expiresAt?.getTime() ?? Infinity) - Date.now();
    if (!(left > 0)) resolve();
    else timer = setTimeout(wait, Math.min(left, MAX_TIMER_MS)).unref();
  };
  wait();
  const unhear = keyId === null ? undefined : signIn.onRevoked(keyId, resolve);
  return {
    over,
    forget: () => {
      clearTimeout(timer);
      unhear?.();
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
      const first = await Promise.race([next, ended]);
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
