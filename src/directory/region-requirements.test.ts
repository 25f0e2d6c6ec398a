import { expect, test } from "vitest";
import type { Provider, ServerProbe } from "#postgres/probe";
import { findAdvice, findObstacle } from "#directory/region-requirements";

function probe(changes: Partial<ServerProbe>): ServerProbe {
  return {
    versionNumber: 160_014,
    version: "16.14",
    systemIdentifier: "1",
    walLevel: "logical",
    inRecovery: false,
    role: "app",
    canCreateDatabases: true,
    canReplicate: true,
    canCreateRoles: true,
    subscriptionMethod: null,
    provider: null,
    workerStartIntervalMs: 5_000,
    headroom: [],
    ...changes,
  };
}

test.each([
  ["AMAZON", "GRANT rds_superuser TO app;"],
  ["GOOGLE", "GRANT cloudsqlsuperuser TO app;"],
  ["AZURE", "GRANT azure_pg_admin TO app;"],
  ["AIVEN", "sign in as avnadmin"],
  ["DIGITALOCEAN", "sign in as doadmin"],
  ["UPCLOUD", "sign in as upadmin"],
] satisfies [Provider, string][])("without a way to subscribe on %s it says what to do there", (provider, what) => {
  const obstacle = findObstacle(probe({ provider }));
  expect(obstacle).toMatch(/^The role app may not create subscriptions\. On [^.]+[.;]$/);
  expect(obstacle).toContain(what);
});

test("on a server of one's own it depends on the version", () => {
  expect(findObstacle(probe({}))).toContain("GRANT pg_create_subscription TO app;");
  const old = findObstacle(probe({ versionNumber: 150_018, version: "15.18" }));
  expect(old).toContain("aiven_extras");
  expect(old).not.toContain("pg_create_subscription");
  expect(findObstacle(probe({ subscriptionMethod: "AIVEN_EXTRAS", provider: "AIVEN" }))).toBeUndefined();
});

test("only 15 with its slow default is advised to start workers faster", () => {
  expect(findAdvice(probe({ versionNumber: 150_018 })).join()).toContain("wal_retrieve_retry_interval = '200ms'");
  expect(findAdvice(probe({ versionNumber: 150_018, workerStartIntervalMs: 200 }))).toEqual([]);
  expect(findAdvice(probe({}))).toEqual([]);
});
