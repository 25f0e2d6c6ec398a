/** Hearing of signals that are aborted. */

/** Who is to be told, for each signal. It has one listener for all: the operations of a connection come and go by the thousand. */
const listening = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls back when the signal is aborted, unless it has been; returns how to be told no more. No two hand over the same function. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = listening.get(signal) ?? listenTo(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
  };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  signal.addEventListener("abort", () => {
    for (const callback of callbacks) callback();
  });
  listening.set(signal, callbacks);
  return callbacks;
}

/**
 * Waits for `work`, or rejects with the signal's reason when that is aborted first. What comes of the work afterwards is
 * given to `late`, to be put away; errors of it are dropped.
 */
export function orAborted<Result>(
  signal: AbortSignal,
  work: Promise<Result>,
  late: (result: Result) => void = () => undefined,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let over = false;
    const abort = () => {
      over = true;
      reject(signal.reason instanceof Error ? signal.reason : new Error("aborted", { cause: signal.reason }));
    };
    let forget: (() => void) | undefined;
    if (signal.aborted) abort();
    else forget = onAbort(signal, abort);
    work.then(
      (result) => {
        forget?.();
        if (over) late(result);
        else resolve(result);
      },
      (error: unknown) => {
        forget?.();
        if (!over) reject(error instanceof Error ? error : new Error("the work failed", { cause: error }));
      },
    );
  });
}
