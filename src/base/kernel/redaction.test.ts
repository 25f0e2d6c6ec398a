import { expect, test } from "vitest";
import { redact, redactedMessage } from "#base/kernel/redaction";

test.each([
  ["connection URLs", "cannot reach postgres://tenantry:hunter2@db.example:5432/x", "hunter2"],
  ["URLs with an odd password", "postgresql://u:p%40s:s@h", "p%40s"],
  ["libpq strings", 'subscription "s" host=h password=hunter2 user=u', "hunter2"],
  ["quoted libpq values", "password = 'hun\\'ter 2' user=u", "ter 2"],
  ["query parameters", "postgres://h/?user=u&password=hunter2&sslmode=require", "hunter2"],
  ["bearer tokens", "authorization: Bearer abcdefgh12345", "abcdefgh12345"],
  ["API keys", `the key tnk_${"0".repeat(32)}_${"k".repeat(43)} is over`, "k".repeat(43)],
  ["JSON Web Tokens", "got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl", "eyJzdWIiOiJhZGEifQ"],
])("%s lose their secret", (_, text, secret) => {
  expect(redact(text)).not.toContain(secret);
  expect(redactedMessage(new Error(text))).not.toContain(secret);
});

test("of an API key the id may be seen", () => {
  expect(redact(`tnk_${"0".repeat(32)}_${"k".repeat(43)}`)).toContain("0".repeat(32));
});

test("text without secrets stays as it is", () => {
  expect(redact('relation "tenantry.users" does not exist at 12:30')).toBe(
    'relation "tenantry.users" does not exist at 12:30',
  );
});
