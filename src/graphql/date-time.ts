import { GraphQLError } from "graphql";
import { builder } from "#graphql/builder";

builder.scalarType("DateTime", {
  description: "A point in time as RFC 3339 text in UTC with milliseconds, such as 2026-01-31T12:00:00.000Z.",
  serialize: (value) => (value instanceof Date ? value.toISOString() : value) as never,
  parseValue: (value) => {
    const time = typeof value === "string" ? new Date(value) : undefined;
    if (time === undefined || Number.isNaN(time.getTime())) throw new GraphQLError("DateTime must be RFC 3339 text.");
    return time;
  },
});
