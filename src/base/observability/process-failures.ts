/** What fails in a process without anybody who hears of it. */
import type { Logger } from "#base/observability/logger";
import type { Metrics } from "#base/observability/metrics";

/**
 * Logs and counts unhandled rejections and uncaught exceptions, and lets the process live. Node would end it, and with it
 * every other caller's request and all replication that it carries, each time that somebody repeats what caused it. It is
 * safe to go on here: nothing that must last is in memory, each transaction commits or rolls back on its server, and jobs
 * converge when they run again. What one caller's failure has left half done ends with that caller's connection or time
 * limit. The returned handle ends this; it is for a process and not for each app in it.
 */
export function surviveFailures({ logger, metrics }: { logger: Logger; metrics: Metrics }): Disposable {
  const rejected = (error: unknown) => {
    metrics.processFailure("rejection");
    logger.error({ err: error }, "a promise was rejected and nobody took its error");
  };
  const thrown = (error: unknown) => {
    metrics.processFailure("exception");
    logger.error({ err: error }, "an exception was caught by nobody");
  };
  process.on("unhandledRejection", rejected);
  process.on("uncaughtException", thrown);
  return {
    [Symbol.dispose]: () => {
      process.off("unhandledRejection", rejected);
      process.off("uncaughtException", thrown);
    },
  };
}
