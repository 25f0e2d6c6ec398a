import { GraphQLError } from "graphql";
import { expect, it } from "vitest";
import { toClientErrors } from "#api/graphql/errors";
import { TenantryError } from "#base/kernel/errors";
import { createLogger } from "#base/observability/logger";
import { noteFailedAt } from "#base/postgres/failed-at";

const logger = createLogger({ level: "silent" });

it("of many errors the first are shown, and how many there are", () => {
  const refused = (index: number) => {
    const cause = new TenantryError("CONFLICT", `no ${index}`);
    return new GraphQLError(cause.message, { cause, path: ["rows", index] });
  };
  const errors = Array.from({ length: 1_234 }, (_, index) => refused(index));
  const shown = toClientErrors(errors, logger);
  expect(shown).toHaveLength(101);
  expect(shown[99]).toMatchObject({ message: "no 99", path: ["rows", 99], extensions: { code: "CONFLICT" } });
  expect(shown[100]?.toJSON()).toEqual({
    message: "The answer has 1234 errors, of which the first 100 are shown.",
    extensions: { code: "LIMIT_EXCEEDED" },
  });
  expect(toClientErrors(errors.slice(0, 100), logger)).toHaveLength(100);
});

it("a long message is cut in its middle, and no character in two", () => {
  const cause = new TenantryError("INVALID_INPUT", `Wrong: ${"😀".repeat(10_000)} is not it.`);
  const [error] = toClientErrors([new GraphQLError(cause.message, { cause })], logger);
  expect(error?.message).toMatch(/^Wrong: .* is not it\.$/u);
  expect(error?.message.length).toBeLessThanOrEqual(1_003);
  expect(error?.message.isWellFormed()).toBe(true);
});

it("nothing that a library has put beside an error is shown but the status", () => {
  const extensions = { http: { status: 400, spec: true }, originalError: { name: "SyntaxError", message: "secret" } };
  const [error] = toClientErrors([new GraphQLError("wrong", { extensions })], logger);
  expect(error?.extensions).toEqual({ code: "INVALID_INPUT", http: { status: 400, spec: false } });
});

it("a refusal of a server is said in our words, and logged in the server's, once for a while", () => {
  const lines: string[] = [];
  const heard = createLogger({ level: "warn", destination: { write: (line) => lines.push(line) } });
  const fail = () => {
    const cause = Object.assign(new Error("remaining connection slots are reserved"), { code: "53300" });
    noteFailedAt(cause, { kind: "home", server: "h:5432", database: "app", role: "api", isConnecting: true });
    return toClientErrors([new GraphQLError(cause.message, { cause })], heard)[0];
  };
  expect(fail()?.toJSON()).toEqual({
    message: "Home has no connection free. Try again later.",
    extensions: { code: "HOME_UNAVAILABLE", retryAfterSeconds: 1 },
  });
  fail();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(
    "Database app on h:5432, as api: remaining connection slots are reserved (SQLSTATE 53300)",
  );
});
