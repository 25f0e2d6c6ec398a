/** How long ago, kept right while the page is open. The exact moment is beside it, for pointers and screen readers. */
import { useSyncExternalStore } from "react";
import { duration, moment, UNKNOWN } from "./format.ts";

const TICK_MS = 5_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function listen(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const one of listeners) one();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The present moment in milliseconds, to 5 s. */
export function useNow(): number {
  return useSyncExternalStore(listen, () => now);
}

/** "3 min ago", "in 2 h". */
export function Ago({ at }: { at: string | null | undefined }) {
  const present = useNow();
  if (at == null) return <span className="muted">{UNKNOWN}</span>;
  const seconds = (present - Date.parse(at)) / 1_000;
  const text = Math.abs(seconds) < TICK_MS / 1_000 ? "now" : duration(Math.floor(Math.abs(seconds)));
  return (
    <time dateTime={at} title={moment(at)} className="nowrap">
      {text === "now" ? text : seconds > 0 ? `${text} ago` : `in ${text}`}
    </time>
  );
}

/** The moment itself. */
export function Moment({ at }: { at: string | null | undefined }) {
  if (at == null) return <span className="muted">{UNKNOWN}</span>;
  return (
    <time dateTime={at} title={at} className="nowrap">
      {moment(at)}
    </time>
  );
}
