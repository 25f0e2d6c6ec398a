/** docs/reference/cli.md describes the commands as they are. `vitest run --project unit test/cli-doc.test.ts -u` writes it. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Argument, Command, Option } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../src/cli/main.ts";
import { referenceOf } from "../src/cli/reference.ts";

const DOCS = join(import.meta.dirname, "../docs");
const PATH = join(DOCS, "reference/cli.md");
const MADE = "<!-- made of src/cli/ -->";

type Named = { name: string; command: Command };

/** A command and those below it, without commands that only group others. */
function commandsOf({ name, command }: Named): Named[] {
  const below = command.commands.flatMap((one) => commandsOf({ name: `${name} ${one.name()}`, command: one }));
  return referenceOf(command) === undefined ? below : [{ name, command }, ...below];
}

const top = createProgram().commands;
const all = top.flatMap((command) => commandsOf({ name: command.name(), command }));

function rowOf(
  name: string,
  { mandatory, required, defaultValue, description, argChoices }: Argument & Option,
): string {
  const isNeeded = name.startsWith("<") ? required : mandatory;
  const standard = defaultValue === undefined ? "" : `\`${String(defaultValue)}\``;
  const choices = argChoices === undefined ? "" : ` One of ${argChoices.map((choice) => `\`${choice}\``).join(", ")}.`;
  return `| \`${name}\` | ${isNeeded ? "required" : standard} | ${marked(description)}${choices} |`;
}

/** Variables and options as code. */
function marked(text: string): string {
  return text.replaceAll(/\b[A-Z]+(?:_[A-Z]+)+\b|(?<= )--[a-z][a-z-]*/g, "`$&`");
}

function sectionOf({ name, command }: Named): string {
  const { example = "", exitsWith1, page } = referenceOf(command) ?? {};
  const given = [
    ...command.registeredArguments.map((one) => rowOf(`<${one.name()}>`, one as Argument & Option)),
    ...command.options.map((one) => rowOf(one.flags, one as Argument & Option)),
  ];
  return [
    `### ${name}`,
    marked(command.description()),
    ...(given.length === 0 ? [] : [["| given | default | what |", "|---|---|---|", ...given].join("\n")]),
    `\`\`\`sh\n${example}\n\`\`\``,
    ...(exitsWith1 === undefined ? [] : [`Exit code 1 also means: ${exitsWith1}.`]),
    ...(page === undefined ? [] : [`More: [${titleOf(page)}](${relative(dirname(PATH), join(DOCS, page))}).`]),
  ].join("\n\n");
}

function titleOf(page: string): string {
  return /^# (.*)$/m.exec(readFileSync(join(DOCS, page), "utf8"))?.[1] ?? page;
}

function commands(): string {
  const groups = Map.groupBy(top, (command) => command.helpGroup().replace(/:$/, ""));
  const sections = [...groups].map(([title, members]) => {
    const named = members.flatMap((command) => commandsOf({ name: command.name(), command }));
    return [`## ${title}`, ...named.map(sectionOf)].join("\n\n");
  });
  return sections.join("\n\n");
}

test("docs/reference/cli.md describes every command", async () => {
  const [before = ""] = readFileSync(PATH, "utf8").split(MADE);
  await expect(`${before}${MADE}\n\n${commands()}\n`).toMatchFileSnapshot(PATH);
});

test("each command, argument and option says in whole sentences what it does", () => {
  const said = all.flatMap(({ name, command }) => [
    { name, text: command.description() },
    ...command.registeredArguments.map((one) => ({ name: `${name} <${one.name()}>`, text: one.description })),
    ...command.options.map((one) => ({ name: `${name} ${one.flags}`, text: one.description })),
  ]);
  expect(all.length).toBeGreaterThan(20);
  expect(said.filter(({ text }) => !/^[A-Z].{8,}\.$/.test(text)).map(({ name }) => name)).toEqual([]);
});

test("no command that does something is without an example, and each example is of its command", () => {
  const runs = ({ commands: below }: Command): Command[] => below.flatMap((one) => [one, ...runs(one)]);
  const leaves = runs(createProgram()).filter((one) => one.commands.length === 0);
  expect(leaves.filter((one) => referenceOf(one) === undefined).map((one) => one.name())).toEqual([]);
  for (const { name, command } of all)
    expect(referenceOf(command)?.example).toMatch(new RegExp(`^tenantry ${name}( |$)`));
});

test("the options of an example are options of its command, and those that it needs are there", () => {
  for (const { name, command } of all) {
    const { example = "" } = referenceOf(command) ?? {};
    const used: string[] = example.match(/--[a-z-]+/g) ?? [];
    const known = new Set<string>(command.options.map((one) => one.long ?? ""));
    const needed = command.options.filter((one) => one.mandatory).map((one) => one.long ?? "");
    expect(
      used.filter((one) => !known.has(one)),
      name,
    ).toEqual([]);
    expect(
      needed.filter((one) => !used.includes(one)),
      name,
    ).toEqual([]);
  }
});
