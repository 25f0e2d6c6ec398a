/** Waiting for conditions, with bounds. Nothing in Tenantry waits without a deadline. */
import { onAbort } from "#base/kernel/abort";

export type WaitOptions = {
  timeoutMs: number;
  /** The first pause between two looks; it doubles up to `maxPauseMs`. */
  pauseMs?: number;
  maxPauseMs?: number;
  signal?: AbortSignal;
};

/**
 * Looks until `look` gives something other than undefined, and returns it; undefined when the time is over.
 * Errors of `look` are the caller's: they end the wait.
 */
export async function waitFor<T>(
  look: () => Promise<T | undefined>,
  { timeoutMs, pauseMs = 5, maxPauseMs = 100, signal }: WaitOptions,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  let pause = pauseMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    signal?.throwIfAborted();
    const left = deadline - performance.now();
    if (left <= 0) return undefined;
    await delay(Math.min(pause, left), signal);
    pause = Math.min(pause * 2, maxPauseMs);
  }
}

/** Resolves after this many milliseconds, or rejects with the signal's reason when it is aborted first. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
    };
    const timer = setTimeout(() => {
      forget?.();
      resolve();
    }, ms);
    if (signal?.aborted) return abort();
    const forget = signal && onAbort(signal, abort);
  });
}

/** Waits for the work, or throws the error of `late` when it takes longer. The work may go on; its later errors are dropped. */
export async function orLate<Result>(work: Promise<Result>, timeoutMs: number, late: () => Error): Promise<Result> {
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(late()), timeoutMs);
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for the work, whether it succeeds or not, this long at most. Returns whether it has ended. The work may go on. */
export async function endsWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const ended = work.then(
    () => true,
    () => true,
  );
  const over = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => over.resolve(false), timeoutMs);
  try {
    return await Promise.race([ended, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}
