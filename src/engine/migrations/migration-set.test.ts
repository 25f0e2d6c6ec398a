import { expect, test } from "vitest";
import {
  findOrderFaults,
  flowChangesUpTo,
  HOME_SCHEMA,
  type MigrationSet,
  readMigration,
  TENANT_SCHEMA,
} from "#engine/migrations/migration-set";

const setOf = (...texts: string[]): MigrationSet => ({
  migrations: texts.map((text, index) => readMigration(index + 1, "m", text)),
  latestVersion: texts.length,
});

test("a migration declares what it changes about what flows", () => {
  const { replicated } = readMigration(
    7,
    "colors",
    "-- Colors.\n-- replicated: add catalog resources.color\n--replicated: remove directory directory_members.email\nselect 1;",
  );
  expect(replicated).toEqual([
    { change: "add", direction: "catalog", table: "resources", column: "color" },
    { change: "remove", direction: "directory", table: "directory_members", column: "email" },
  ]);
  expect(readMigration(1, "none", "-- what is replicated: nothing\nselect 1;").replicated).toEqual([]);
});

test.each(["-- replicated: resources.color", "-- replicated: add upwards resources.color", "-- replicated:"])(
  "%s is refused",
  (line) => {
    expect(() => readMigration(7, "odd", line)).toThrow("migration 7 odd");
  },
);

test("changes are known by version", () => {
  const set = setOf(
    "select 1",
    "-- replicated: add catalog resources.color",
    "-- replicated: add catalog resources.tag",
  );
  expect([0, 1, 2, 3].map((version) => flowChangesUpTo(set, version).length)).toEqual([0, 0, 1, 2]);
});

test("what the program's own migrations declare can work", () => {
  expect(findOrderFaults(HOME_SCHEMA, TENANT_SCHEMA)).toEqual([]);
});

test("a tenant schema cannot add what home does not know", () => {
  const tenant = setOf("select 1", "-- replicated: add catalog resources.color");
  expect(findOrderFaults(setOf("select 1"), tenant)).toEqual([expect.stringContaining("catalog resources.color")]);
  expect(findOrderFaults(setOf("-- replicated: add catalog resources.color"), tenant)).toEqual([]);
});

test("home cannot remove what a served tenant database still needs", () => {
  const home = setOf("-- replicated: remove directory directory_members.email");
  const removing = "-- replicated: remove directory directory_members.email";
  expect(findOrderFaults(home, setOf("select 1"))).toHaveLength(1);
  // Removed with this version: the one before it is served too.
  expect(findOrderFaults(home, setOf("select 1", removing))).toHaveLength(1);
  expect(findOrderFaults(home, setOf("select 1", removing, "select 2"))).toEqual([]);
});
