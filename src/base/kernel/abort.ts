/** Hearing of signals that are aborted. */

/** Who is to be told of one signal, and how its listener is taken off. */
type Listening = { readonly callbacks: Set<() => void>; readonly stop: () => void };

/** For each signal that somebody waits for. It has one listener for all: the operations of a connection come and go by the thousand. */
const listening = new WeakMap<AbortSignal, Listening>();

/**
 * Calls back when the signal is aborted, unless it has been; returns how to be told no more. No two hand over the same function.
 * With nobody left the signal has no listener: Node keeps a signal that was made of others as long as it has one.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const found = listening.get(signal) ?? listenTo(signal);
  found.callbacks.add(callback);
  return () => {
    if (found.callbacks.delete(callback) && found.callbacks.size === 0) found.stop();
  };
}

function listenTo(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>();
  const tell = () => {
    for (const callback of callbacks) callback();
  };
  const stop = () => {
    signal.removeEventListener("abort", tell);
    listening.delete(signal);
  };
  signal.addEventListener("abort", tell);
  const made = { callbacks, stop };
  listening.set(signal, made);
  return made;
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
