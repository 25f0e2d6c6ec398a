import { GraphQLError } from "graphql";
import { expect, it } from "vitest";
import { toClientErrors } from "#api/graphql/errors";
import { TenantryError } from "#base/kernel/errors";
import { createLogger } from "#base/observability/logger";
import { Metrics } from "#base/observability/metrics";
import { noteFailedAt } from "#base/postgres/failed-at";

const metrics = new Metrics();
const hearers = { logger: createLogger({ level: "silent" }), metrics };

it("of many errors the first are shown, and how many there are", () => {
  const refused = (index: number) => {
    const cause = new TenantryError("CONFLICT", `no ${index}`);
    return new GraphQLError(cause.message, { cause, path: ["rows", index] });
  };
  const errors = Array.from({ length: 1_234 }, (_, index) => refused(index));
  const shown = toClientErrors(errors, hearers);
  expect(shown).toHaveLength(101);
  expect(shown[99]).toMatchObject({ message: "no 99", path: ["rows", 99], extensions: { code: "CONFLICT" } });
  expect(shown[100]?.toJSON()).toEqual({
    message: "The answer has 1234 errors, of which the first 100 are shown.",
    extensions: { code: "LIMIT_EXCEEDED" },
  });
  expect(toClientErrors(errors.slice(0, 100), hearers)).toHaveLength(100);
});

it("a long message is cut in its middle, and no character in two", () => {
  const cause = new TenantryError("INVALID_INPUT", `Wrong: ${"😀".repeat(10_000)} is not it.`);
  const [error] = toClientErrors([new GraphQLError(cause.message, { cause })], hearers);
  expect(error?.message).toMatch(/^Wrong: .* is not it\.$/u);
  expect(error?.message.length).toBeLessThanOrEqual(1_003);
  expect(error?.message.isWellFormed()).toBe(true);
});

it("nothing that a library has put beside an error is shown but the status", () => {
  const extensions = { http: { status: 400, spec: true }, originalError: { name: "SyntaxError", message: "secret" } };
  const [error] = toClientErrors([new GraphQLError("wrong", { extensions })], hearers);
  expect(error?.extensions).toEqual({ code: "INVALID_INPUT", http: { status: 400, spec: false } });
});

it("a refusal of a server is said in our words, and logged in the server's, once for a while", () => {
  const lines: string[] = [];
  const heard = createLogger({ level: "warn", destination: { write: (line) => lines.push(line) } });
  const fail = () => {
    const cause = Object.assign(new Error("remaining connection slots are reserved"), { code: "53300" });
    noteFailedAt(cause, { kind: "home", server: "h:5432", database: "app", role: "api", isConnecting: true });
    return toClientErrors([new GraphQLError(cause.message, { cause })], { logger: heard, metrics })[0];
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

it("each error is counted by its code, and a limit by its name", async () => {
  const counted = new Metrics();
  const cause = new TenantryError("LIMIT_EXCEEDED", "Too much.", { limit: "points" });
  const other = new TenantryError("LIMIT_EXCEEDED", "Too many keys.");
  const errors = [cause, other].map((one) => new GraphQLError(one.message, { cause: one }));
  toClientErrors([...errors, new GraphQLError("Syntax Error")], { ...hearers, metrics: counted });
  const text = await counted.text();
  expect(text).toContain('tenantry_graphql_errors_total{code="LIMIT_EXCEEDED"} 2');
  expect(text).toContain('tenantry_graphql_errors_total{code="INVALID_INPUT"} 1');
  expect(text).toContain('tenantry_limit_refusals_total{limit="points"} 1');
  expect(text).toContain('tenantry_limit_refusals_total{limit="other"} 1');
});
