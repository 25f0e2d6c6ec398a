/**
 * The clock by which ids are made. Lists go by ids, so processes whose clocks differ would put rows where a reader has been
 * already. So all go by one clock, that of home's server, which each process compares with its own again and again.
 */

/** The server said `serverMs` at `at`, by `performance.now()`, or up to `errorMs` before or after. */
type Comparison = { serverMs: number; at: number; errorMs: number };

let known: Comparison | undefined;

/** Milliseconds since 1970, by the clock of home's server as far as it is known; until then by this process's own. */
export function clockMs(): number {
  return known === undefined ? Date.now() : timeOf(known, performance.now());
}

/** The server said this time in answer to a question that was sent and answered at these moments of `performance.now()`. */
export function compareClocks(serverMs: number, askedAt: number, answeredAt: number): void {
  const errorMs = (answeredAt - askedAt) / 2;
  const comparison = { serverMs, at: askedAt + errorMs, errorMs };
  // The network's moods are no reason to go back and forth. A comparison that knows it twice as well is.
  if (known !== undefined && errorMs > known.errorMs / 2) {
    const difference = Math.abs(timeOf(known, comparison.at) - serverMs);
    if (difference <= errorMs + known.errorMs) return;
  }
  known = comparison;
}

/** For tests: nothing is known again. */
export function forgetClock(): void {
  known = undefined;
}

function timeOf({ serverMs, at }: Comparison, now: number): number {
  return serverMs + (now - at);
}
