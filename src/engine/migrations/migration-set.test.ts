import { expect, test } from "vitest";
import { type Migration, readMigration, tenantSchemaOf } from "#engine/migrations/migration-set";
import { missingOf } from "#engine/migrations/runner";

const app = (...texts: string[]) => texts.map((text, index) => readMigration("app", index + 1, "m", text));
const applied = (migrations: readonly Migration[]) =>
  migrations.map(({ part, number, name, checksum }) => ({ part, number, name, checksum }));

test("a database lacks what it has not, in the order of the set", () => {
  const set = tenantSchemaOf(app("select 1", "select 2"));
  expect(missingOf([], set)).toEqual(set.migrations);
  expect(missingOf(applied(set.migrations.slice(0, -1)), set)).toEqual(set.migrations.slice(-1));
  expect(missingOf(applied(set.migrations), set)).toEqual([]);
});

test("a later migration of the engine is applied to a database that has the app's", () => {
  const set = tenantSchemaOf(app("select 1"));
  const without = applied(set.migrations).filter(({ part }) => part !== "tenant");
  expect(missingOf(without, set).map(({ part }) => part)).toEqual(["tenant"]);
});

test("a database of a newer program, and one of another build, are refused", () => {
  const set = tenantSchemaOf(app("select 1"));
  const newer = tenantSchemaOf(app("select 1", "select 2"));
  expect(() => missingOf(applied(newer.migrations), set)).toThrow("newer than the");
  const other = tenantSchemaOf(app("select 'other'"));
  expect(() => missingOf(applied(other.migrations), set)).toThrow(
    "Migration 1 of app (m) was applied with another text",
  );
});

test("the engine has one migration of each part, as long as a database's version alone says which of the app's it has", () => {
  // engine/tables.ts takes a version for the number of the app's migrations beyond the engine's. With a second one of the engine a
  // database that lacks it would seem to lack one of the app's too: home has to record both numbers first.
  const parts = tenantSchemaOf([]).migrations.map(({ part, number }) => `${part} ${number}`);
  expect(parts).toEqual(["both 1", "tenant 1"]);
});
