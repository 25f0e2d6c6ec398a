/** Logs as JSON lines, or readable ones on a terminal. Secrets are taken out before anything is written. */
import pino from "pino";
import { currentCause } from "#base/kernel/call";
import { redact, redactedMessage } from "#base/kernel/redaction";

export type Logger = pino.Logger;

export const LOG_LEVELS = ["silent", "fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `json-words`: with levels as words, and times in ISO 8601. `text`: for people. */
export const LOG_FORMATS = ["text", "json", "json-words"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export function createLogger(options: {
  level: LogLevel;
  /** `json` when left out. */
  format?: LogFormat | undefined;
  /** Instead of standard output; not with `text`. */
  destination?: pino.DestinationStream | undefined;
}): Logger {
  const { format = "json" } = options;
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    serializers: { err: describeError },
    // Whatever is said while a request is worked on has its id.
    mixin: () => {
      const requestId = currentCause()?.requestId;
      return requestId === undefined ? {} : { requestId };
    },
    ...(format === "json-words"
      ? { timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } }
      : {}),
    hooks: {
      logMethod(args, method) {
        const clean = args.map((part: unknown) => (typeof part === "string" ? redact(part) : part));
        method.apply(this, clean as Parameters<typeof method>);
      },
    },
    ...(format === "text"
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
