import { expect, test } from "vitest";
import { SchemaOutcomes } from "#engine/migrations/database-migration";

test("what one region's server says its schema became counts for no other region", () => {
  const outcomes = new SchemaOutcomes();
  const was = { regionId: "one", version: { engine: 1, app: 1 }, fingerprint: null };
  outcomes.add(was, "became");
  expect(outcomes.get(was)).toBe("became");
  expect(outcomes.get({ ...was, regionId: "other" })).toBeUndefined();
});
