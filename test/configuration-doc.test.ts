/** docs/reference/configuration.md describes the settings as they are declared. `vitest run --project unit test/configuration-doc.test.ts -u` writes it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { SECTIONS } from "../src/config.ts";
import { type Section, variableOf } from "../src/config/variable.ts";

const PATH = join(import.meta.dirname, "../docs/reference/configuration.md");
const MADE = "<!-- made of src/config/ -->";
const variables = SECTIONS.flatMap(({ fields }) => Object.values(fields).map(variableOf));

/** What a variable may be set to, as far as its schema says so. */
type Allowed = { default?: string | number; enum?: string[]; minimum?: number; maximum?: number };

function rowOf(setting: z.core.$ZodType): string {
  const { name, meaning, unit, otherwise, example, isSecret } = variableOf(setting);
  const allowed = z.toJSONSchema(setting, { io: "input" }) as Allowed;
  const { default: standard = "", enum: values, minimum, maximum } = allowed;
  const fixed = standard === "" ? "none" : `\`${standard}\`${unit === undefined ? "" : ` ${unit}`}`;
  const about = [
    meaning,
    ...(values === undefined ? [] : [`Values: ${values.map((value) => `\`${value}\``).join(", ")}.`]),
    ...(minimum === undefined || maximum === undefined
      ? []
      : [`From ${minimum.toLocaleString("en")} to ${maximum.toLocaleString("en")}.`]),
    ...(example === undefined ? [] : [`Example: \`${example}\`.`]),
    ...(isSecret === undefined ? [] : ["**A secret.**"]),
  ];
  return `| \`${name}\` | ${otherwise ?? fixed} | ${about.join(" ")} |`;
}

function sectionOf({ title, about, fields }: Section): string {
  const head = about === "" ? [] : [about, ""];
  const rows = Object.values(fields).map(rowOf);
  return [`## ${title}`, "", ...head, "| variable | default | meaning |", "|---|---|---|", ...rows].join("\n");
}

test("docs/reference/configuration.md describes every setting", async () => {
  const [before = ""] = readFileSync(PATH, "utf8").split(MADE);
  await expect(`${before}${MADE}\n\n${SECTIONS.map(sectionOf).join("\n\n")}\n`).toMatchFileSnapshot(PATH);
});

test("each variable has a name of its own, and says in whole sentences what it does", () => {
  expect(new Set(variables.map(({ name }) => name)).size).toBe(variables.length);
  expect(variables.length).toBeGreaterThan(40);
  expect(variables.filter(({ meaning }) => !/^[A-Z0-9`].*\.$/.test(meaning))).toEqual([]);
});

test("an example is a value that the setting takes", () => {
  const refused = SECTIONS.flatMap(({ fields }) => Object.values(fields)).filter((setting) => {
    const { example } = variableOf(setting);
    return example !== undefined && !z.safeParse(setting, example).success;
  });
  expect(refused.map((setting) => variableOf(setting).name)).toEqual([]);
});
