/** The types of the console's operations are those of the schema. `vitest run --project unit test/console-types.test.ts -u` writes them. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { consoleTypes } from "../build/console-types.ts";
import { schema } from "./support/schema.ts";

test("the console's types are made from the schema that is served", async () => {
  const file = join(import.meta.dirname, "../console/src/api/introspection.d.ts");
  await expect(consoleTypes(schema)).toMatchFileSnapshot(file);
});
