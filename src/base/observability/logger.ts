/** Logs as JSON lines, or readable ones on a terminal. Secrets are taken out before anything is written. */
import pino from "pino";
import { redact, redactedMessage } from "#base/kernel/redaction";

export type Logger = pino.Logger;

export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function createLogger(options: {
  level: LogLevel;
  pretty: boolean;
  /** Instead of standard output; not with `pretty`. */
  destination?: pino.DestinationStream | undefined;
}): Logger {
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    serializers: { err: describeError },
    hooks: {
      logMethod(args, method) {
        const clean = args.map((part: unknown) => (typeof part === "string" ? redact(part) : part));
        method.apply(this, clean as Parameters<typeof method>);
      },
    },
    ...(options.pretty
      ? {
          transport: {
            target: "pino-pretty",
            options: { translateTime: "SYS:HH:MM:ss", ignore: "pid,hostname" },
          },
        }
      : {}),
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/** An error as logs show it: kind, message, SQLSTATE, where, and its cause; never parameters or the statement's text. */
function describeError(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { message: redact(String(error)) };
  return {
    type: error.name,
    message: redactedMessage(error),
    ...("code" in error ? { code: error.code } : {}),
    stack: redact(error.stack ?? ""),
    ...(error.cause !== undefined && depth < 3 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}
