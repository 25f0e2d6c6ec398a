import { GraphQLError } from "graphql";
import type { Builder } from "#api/graphql/builder";

/** What RFC 3339 can write; PostgreSQL stores more. plan/sql-text.ts has the same bounds. */
const FIRST_YEAR = 1;
const LAST_YEAR = 9_999;

export function defineDateTime(builder: Builder): void {
  builder.scalarType("DateTime", {
    description: "A point in time as RFC 3339 text in UTC with milliseconds, such as 2026-01-31T12:00:00.000Z.",
    specifiedByURL: "https://scalars.graphql.org/andimarek/date-time.html",
    serialize: (value) => write(value) as never,
    parseValue: (value) => {
      const time = typeof value === "string" ? new Date(value) : undefined;
      if (time === undefined || Number.isNaN(time.getTime())) throw new GraphQLError("DateTime must be RFC 3339 text.");
      return time;
    },
  });
}

/**
 * The driver gives infinity as a number and what is beyond JavaScript's dates as an Invalid Date. Both are stored by whoever
 * may write in a region. They are an error of their field, masked as INTERNAL.
 */
function write(value: unknown): string {
  if (value instanceof Date && value.getUTCFullYear() >= FIRST_YEAR && value.getUTCFullYear() <= LAST_YEAR)
    return value.toISOString();
  throw new Error("a time is stored that cannot be shown");
}
