import { expect, test } from "vitest";
import type { Provider, ServerProbe } from "#base/postgres/probe";
import { findAdvice, whyHomeUnfit, whyUnfit } from "#engine/servers/region-requirements";

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
    canCreateSchemas: true,
    encoding: "UTF8",
    isReplica: false,
    subscriptionMethod: null,
    provider: null,
    workerStartIntervalMs: 5_000,
    slotWalLimitMb: 10_240,
    slotIdleLimitMs: null,
    clockAheadMs: 0,
    headroom: [],
    ...changes,
  };
}

const MAX_AGE_MS = 8 * 60_000;

function adviceFor(changes: Partial<ServerProbe>): string[] {
  return findAdvice(probe(changes), { maxAgeMs: MAX_AGE_MS });
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

test("all that a role lacks is one sentence, with statements that can be pasted", () => {
  const lacking = { canCreateDatabases: false, canReplicate: false, canCreateRoles: false, canCreateSchemas: false };
  expect(whyUnfit(probe({ ...lacking, role: "the-app" }))).toBe(
    "The role the-app may not create databases, replicate, create roles and create subscriptions. " +
      'As a superuser run: ALTER ROLE "the-app" CREATEDB REPLICATION CREATEROLE; GRANT pg_create_subscription TO "the-app";',
  );
  expect(whyHomeUnfit(probe({ ...lacking, canReplicate: true, provider: "AIVEN" }), "the app")).toBe(
    "The role app may not create databases, create roles, create schemas in the database the app and create subscriptions. " +
      'As a superuser run: ALTER ROLE app CREATEDB CREATEROLE; GRANT CREATE ON DATABASE "the app" TO app; ' +
      "On Aiven sign in as avnadmin, who may install the extension aiven_extras.",
  );
});

test("a server whose sessions are replicas is refused, and a home of another encoding", () => {
  expect(whyUnfit(probe({ isReplica: true }))).toContain("session_replication_role");
  const latin = probe({ encoding: "LATIN1", subscriptionMethod: "SUPERUSER" });
  expect(whyUnfit(latin)).toBeUndefined();
  expect(whyHomeUnfit(latin, "app")).toBe(
    "The database app has the encoding LATIN1, and Tenantry needs UTF8. Make another one: CREATE DATABASE app TEMPLATE template0 ENCODING 'UTF8';",
  );
});

test("only 15 with its slow default is advised to start workers faster", () => {
  expect(adviceFor({ versionNumber: 150_018 }).join()).toContain("wal_retrieve_retry_interval = '200ms'");
  expect(adviceFor({ versionNumber: 150_018, workerStartIntervalMs: 200 })).toEqual([]);
  expect(adviceFor({})).toEqual([]);
});

test("a server whose slots may keep any amount of WAL is taken, and advised to bound it", () => {
  const unbounded = probe({ slotWalLimitMb: null, subscriptionMethod: "SUPERUSER" });
  expect(whyUnfit(unbounded)).toBeUndefined();
  expect(adviceFor({ slotWalLimitMb: null })).toEqual([expect.stringContaining("SET max_slot_wal_keep_size = '10GB'")]);
  expect(adviceFor({ slotWalLimitMb: 0 })).toEqual([]);
});

test("a server that ends slots which rest for less long than Tenantry lets them is advised to wait longer", () => {
  const [advice, ...more] = adviceFor({ slotIdleLimitMs: 60_000 });
  expect(advice).toMatch(/for 60 s \(idle_replication_slot_timeout\), and Tenantry lets them rest for 480 s/);
  expect(more).toEqual([]);
  // A sweep that comes late must not be too late.
  expect(adviceFor({ slotIdleLimitMs: MAX_AGE_MS + 1_000 })).toHaveLength(1);
  expect(adviceFor({ slotIdleLimitMs: 60 * 60_000 })).toEqual([]);
});

test("a server whose clock is not in step with home's is advised to keep it", () => {
  expect(adviceFor({ clockAheadMs: 900 })).toEqual([]);
  expect(adviceFor({ clockAheadMs: 3_600_000 }).join()).toContain("Its clock is 3600 s ahead of home's");
  expect(adviceFor({ clockAheadMs: -90_000 }).join()).toContain("Its clock is 90 s behind home's");
});
