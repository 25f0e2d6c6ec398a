import { expect, it } from "vitest";
import { formatPoolUrl, parsePoolUrl } from "#postgres/connection-url";

it.each([
  "postgres://pooler.example.com:6432",
  "postgres://[::1]:6432",
  "postgres://pooler:5432?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.crt",
  "postgres://pooler:6432?prepared_statements=true",
  "postgres://pooler:6432?sslmode=require&prepared_statements=true",
])("the URL of a pooler %s is written as it was read", (url) => {
  expect(formatPoolUrl(parsePoolUrl(url, "poolUrl"))).toBe(url);
});

it("a pooler carries no prepared statements unless its URL says so", () => {
  expect(parsePoolUrl("postgres://pooler", "poolUrl")).toMatchObject({ port: 5432, preparedStatements: false });
  const off = parsePoolUrl("postgres://pooler?prepared_statements=false", "poolUrl");
  expect(formatPoolUrl(off)).toBe("postgres://pooler:5432");
});

it.each([
  ["postgres://user@pooler", "must not name a user"],
  ["postgres://:hunter2@pooler", "must not name a user"],
  ["postgres://pooler/db", "must not name a database"],
  ["postgres://pooler/", "must not name a database"],
  ["postgres://pooler?prepared_statements=yes", "must be true or false"],
  ["postgres://pooler?prepared_statements=true&prepared_statements=false", "twice"],
  ["postgres://pooler?application_name=x", "is not supported"],
  ["postgres://one,two", "must name one host"],
  ["pooler:6432", "must look like"],
  [`postgres://${"x".repeat(2_000)}`, "must look like"],
])("the URL of a pooler %s is refused, and not repeated", (url, words) => {
  const read = () => parsePoolUrl(url, "poolUrl");
  expect(read).toThrow(expect.objectContaining({ code: "INVALID_INPUT", field: "poolUrl" }));
  expect(read).toThrow(words);
  expect(read).not.toThrow("hunter2");
});
