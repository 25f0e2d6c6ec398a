import { expect, test } from "vitest";
import { settingsFile } from "#embedded/server-settings";

test("only 18 knows the setting for origins; before it, origins are slots", () => {
  expect(settingsFile(18)).toContain("max_active_replication_origins = '256'");
  expect(settingsFile(17)).not.toContain("max_active_replication_origins");
});

test("extra settings win, and quotes in them stay inside", () => {
  const text = settingsFile(18, { max_connections: "7", cluster_name: "it's" });
  expect(text.match(/^max_connections.*$/gm)).toEqual(["max_connections = '7'"]);
  expect(text).toContain("cluster_name = 'it''s'");
});
