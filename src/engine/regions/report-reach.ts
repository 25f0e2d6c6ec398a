/** Says in the log that a region or home is away from this process, or back, once each time, and that connections were lost on the way. */
import type { Logger } from "#base/observability/logger";
import { warnOnce } from "#base/observability/warn-once";
import type { Pools } from "#base/postgres/pools";

/** Returns what {@link Pools} tells of idle connections that broke. All to a server break with it: that is said once. */
export function reportBroken(logger: Logger): (error: Error, region?: string) => void {
  const warn = warnOnce(logger);
  return (error, region) => warn(region ?? "", { err: error, region }, "an idle connection broke");
}

/** Says it for as long as the process lives. */
export function reportReach({ pools, logger }: { pools: Pools; logger: Logger }): void {
  pools.onReach(({ region, isHome, isPooler, isThere, awayMs, code }) => {
    // A server that is no region's is only being tried. Whoever tries it hears of it.
    if (!isHome && region === undefined) return;
    const what = isHome ? "home" : `region ${region}`;
    const who = isPooler ? `the pooler of ${what}` : what;
    const fields = { ...(isHome ? { home: true } : { region }), ...(isPooler && { pooler: true }) };
    if (isThere) logger.info({ ...fields, awayMs: Math.round(awayMs) }, `${who} answers again`);
    else logger.warn({ ...fields, code }, `${who} does not answer`);
  });
  pools.onForgotten(({ region, isHome, connections }) => {
    const what = isHome ? "home" : region === undefined ? "a server" : `region ${region}`;
    const fields = { ...(isHome ? { home: true } : { region }), connections };
    logger.warn(fields, `connections to ${what} were forgotten on their way: what waited on them was ended`);
  });
}
