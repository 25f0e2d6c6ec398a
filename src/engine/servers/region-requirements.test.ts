import { expect, test } from "vitest";
import type { Provider, ServerProbe } from "#base/postgres/probe";
import { findAdvice, whyUnfit } from "#engine/servers/region-requirements";

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
    slotWalLimitMb: 10_240,
    clockAheadMs: 0,
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
  const obstacle = whyUnfit(probe({ provider }));
  expect(obstacle).toMatch(/^The role app may not create subscriptions\. On [^.]+[.;]$/);
  expect(obstacle).toContain(what);
});

test("on a server of one's own it depends on the version", () => {
  expect(whyUnfit(probe({}))).toContain("GRANT pg_create_subscription TO app;");
  const old = whyUnfit(probe({ versionNumber: 150_018, version: "15.18" }));
  expect(old).toContain("aiven_extras");
  expect(old).not.toContain("pg_create_subscription");
  expect(whyUnfit(probe({ subscriptionMethod: "AIVEN_EXTRAS", provider: "AIVEN" }))).toBeUndefined();
});

test("only 15 with its slow default is advised to start workers faster", () => {
  expect(findAdvice(probe({ versionNumber: 150_018 })).join()).toContain("wal_retrieve_retry_interval = '200ms'");
  expect(findAdvice(probe({ versionNumber: 150_018, workerStartIntervalMs: 200 }))).toEqual([]);
  expect(findAdvice(probe({}))).toEqual([]);
});

test("a server whose slots may keep any amount of WAL is taken, and advised to bound it", () => {
  const unbounded = probe({ slotWalLimitMb: null, subscriptionMethod: "SUPERUSER" });
  expect(whyUnfit(unbounded)).toBeUndefined();
  expect(findAdvice(unbounded)).toEqual([expect.stringContaining("SET max_slot_wal_keep_size = '10GB'")]);
  expect(findAdvice(probe({ slotWalLimitMb: 0 }))).toEqual([]);
});

test("a server whose clock is not in step with home's is advised to keep it", () => {
  expect(findAdvice(probe({ clockAheadMs: 900 }))).toEqual([]);
  expect(findAdvice(probe({ clockAheadMs: 3_600_000 })).join()).toContain("Its clock is 3600 s ahead of home's");
  expect(findAdvice(probe({ clockAheadMs: -90_000 })).join()).toContain("Its clock is 90 s behind home's");
});
