import { expect, it } from "vitest";
import { PreparedStatements } from "#base/postgres/prepared-statements";

const usedOften = (statements: PreparedStatements, text: string, statement = "test") =>
  [1, 2, 3, 4].map(() => statements.use(statement, text).name).at(-1);

it("prepares what comes a third time, under one name from then on", () => {
  const statements = new PreparedStatements();
  const names = [1, 2, 3, 4].map(() => statements.use("test", "select $1").name);
  expect(names.slice(0, 2)).toEqual([undefined, undefined]);
  expect(names[2]).toMatch(/^tenantry_[0-9a-f]{16}$/);
  expect(names[3]).toBe(names[2]);
  expect(usedOften(statements, "select $1 + 1")).not.toBe(names[2]);
});

it("gives a text the same name in every process, as they may share the server's connections", () => {
  const [one, other] = [new PreparedStatements(), new PreparedStatements()];
  usedOften(other, "select $1 + 1");
  expect(usedOften(one, "select $1")).toBe(usedOften(other, "select $1"));
});

it("leaves a statement with an optional condition to be planned for its values", () => {
  const statements = new PreparedStatements();
  expect(usedOften(statements, "select from t where ($1::uuid is null or id > $1)")).toBeUndefined();
});

it("prepares so many texts of one statement and no more, and others all the same", () => {
  const statements = new PreparedStatements();
  const names = Array.from({ length: 3_000 }, (_, index) => usedOften(statements, `select $1 + ${index}`));
  expect(names.filter((name) => name !== undefined)).toHaveLength(50);
  expect(usedOften(statements, "select $1 + 7")).toBe(names[7]);
  expect(usedOften(statements, "select $1 - 1", "another")).toBeDefined();
});

it("sends a text with its statement's name in front", () => {
  expect(new PreparedStatements().use("users.find", "select $1").text).toBe("/* tenantry: users.find */ select $1");
});
