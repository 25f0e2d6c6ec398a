/** Warnings that come again and again while one thing is wrong. */
import { BoundedMap } from "#base/kernel/bounded-map";
import type { Logger } from "#base/observability/logger";

const PAUSE_MS = 60_000;
const MAX_KNOWN = 1_000;

/** Returns what writes a warning once in a minute by its key; in between it is at `debug`. */
export function warnOnce(logger: Logger): (key: string, fields: object, message: string) => void {
  const known = new BoundedMap<string, number>(MAX_KNOWN);
  return (key, fields, message) => {
    const now = performance.now();
    const isNews = now - (known.get(key) ?? -PAUSE_MS) >= PAUSE_MS;
    if (isNews) known.set(key, now);
    logger[isNews ? "warn" : "debug"](fields, message);
  };
}
