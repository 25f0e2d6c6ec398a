/** Every command has a test that runs it: the list is the tree of commands, and not kept by hand. */
import { globSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../src/cli/main.ts";
import { referenceOf } from "../src/cli/reference.ts";

/** The commands that do something: others only group them. */
function leavesOf(command: Command, name: string[] = []): string[][] {
  const below = command.commands.flatMap((one) => leavesOf(one, [...name, one.name()]));
  return referenceOf(command) === undefined ? below : [name, ...below];
}

const tests = [...globSync("test/**/*.test.ts"), ...globSync("src/cli/**/*.test.ts")]
  .filter((path) => !path.endsWith("cli-tests.test.ts"))
  .map((path) => readFileSync(path, "utf8"));

/** Whether a test gives these words as arguments, each a literal: `"region", "add"`. */
function isRun(words: readonly string[]): boolean {
  const called = new RegExp(`[[(,]\\s*${words.map((word) => `"${word}"`).join(",\\s*")}\\s*[\\],)]`);
  return tests.some((text) => called.test(text));
}

test("every command is run by a test", () => {
  const leaves = leavesOf(createProgram());
  expect(leaves.length).toBeGreaterThan(30);
  expect(leaves.filter((words) => !isRun(words)).map((words) => words.join(" "))).toEqual([]);
});

test("a command that no test runs is found", () => {
  expect(isRun(["region", "rename"])).toBe(false);
});
