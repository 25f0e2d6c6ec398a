/** The console asks for nothing that the schema does not have. gql.tada's types say so of a field only where it is used. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Kind, parse, specifiedRules, validate } from "graphql";
import { expect, test } from "vitest";
import { schema } from "./support/schema.ts";

const SOURCES = join(import.meta.dirname, "../console/src");

/** Each operation and fragment with the file that it stands in. */
function documents(): { file: string; text: string }[] {
  return globSync("**/*.{ts,tsx}", { cwd: SOURCES }).flatMap((file) =>
    [...readFileSync(join(SOURCES, file), "utf8").matchAll(/graphql\(\s*`([^`]+)`/g)].map(([, text = ""]) => ({
      file,
      text,
    })),
  );
}

test("every operation of the console is valid", () => {
  const all = documents();
  expect(all.length).toBeGreaterThan(5);
  // Fragments are known to each other; that each is used is the type checker's matter.
  const fragments = all.flatMap(({ text }) =>
    parse(text).definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION),
  );
  const rules = specifiedRules.filter(({ name }) => name !== "NoUnusedFragmentsRule");
  const found = all.flatMap(({ file, text }) => {
    const { definitions, ...document } = parse(text);
    const own = definitions.filter(({ kind }) => kind !== Kind.FRAGMENT_DEFINITION);
    const errors = validate(schema, { ...document, definitions: [...own, ...fragments] }, rules);
    return errors.map(({ message }) => `${file}: ${message}`);
  });
  expect(found).toEqual([]);
});
