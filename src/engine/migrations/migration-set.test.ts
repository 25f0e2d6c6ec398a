import { expect, test } from "vitest";
import {
  ENGINE_MIGRATIONS,
  type EngineMigrations,
  homeSchemaOf,
  type Migration,
  readMigration,
  tenantSchemaOf,
} from "#engine/migrations/migration-set";
import { isBeyond, latestOf, oldestServedOf } from "#engine/migrations/schema-version";
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

/** The engine with a second step, of which `home` has nothing. */
const LATER: EngineMigrations = {
  ...ENGINE_MIGRATIONS,
  both: [...ENGINE_MIGRATIONS.both, readMigration("both", 2, "later", "select 2")],
  tenant: [...ENGINE_MIGRATIONS.tenant, readMigration("tenant", 2, "later", "select 2")],
};
const labels = (migrations: readonly Migration[]) => migrations.map(({ part, number }) => `${part} ${number}`);

test("the engine's steps come before the app's migrations, each with what is for both first", () => {
  const set = tenantSchemaOf(app("select 1"), { engine: LATER });
  expect(labels(set.migrations)).toEqual(["both 1", "tenant 1", "both 2", "tenant 2", "app 1"]);
  expect(labels(homeSchemaOf(set).migrations)).toEqual(["both 1", "home 1", "both 2", "app 1"]);
  // A database that has the app's already gets the engine's all the same.
  const before = tenantSchemaOf(app("select 1"));
  expect(labels(missingOf(applied(before.migrations), set))).toEqual(["both 2", "tenant 2"]);
});

test("the engine's version and the app's are counted apart, and the step before of each is served", () => {
  const before = tenantSchemaOf(app("select 1"));
  expect([latestOf(before), oldestServedOf(before)]).toEqual([
    { engine: 2, app: 1 },
    { engine: 2, app: 0 },
  ]);
  const later = tenantSchemaOf(app("select 1", "select 2", "select 3"), { engine: LATER });
  expect([latestOf(later), oldestServedOf(later)]).toEqual([
    { engine: 4, app: 3 },
    { engine: 2, app: 2 },
  ]);
  // As many in all, and each has something that the other has not.
  const [one, other] = [
    { engine: 4, app: 1 },
    { engine: 2, app: 3 },
  ];
  expect([isBeyond(one, other), isBeyond(other, one), isBeyond(one, one)]).toEqual([true, true, false]);
});
