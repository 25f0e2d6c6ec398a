/** Replication on demand: parked at rest, carried when something changes, found when nobody said so, mended. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  type Granted,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { placementNumber, routedIdSql } from "../support/routed-id.ts";

let app: TestApp;
let organization: string;
let placement: Granted;
let tenant: string;

beforeAll(async () => {
  // Sweeps come when a test asks for one.
  app = await startApp({
    replication: {
      sweepIntervalMs: 3_600_000,
      carrier: { idleMs: 100, stallMs: 1_500, retryMs: 50 },
      limits: { maxRetainedBytes: 256 * 1024, maxAgeMs: 3_600_000 },
    },
  });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

beforeEach(async () => {
  organization = await createOrganization(app, "Replicated");
  placement = await grant(app, organization, "eu");
  tenant = `${serverUrl("eu")}/${placement.database}`;
  await eventually(() => isParked());
});

/** Whether both of the database's subscriptions are there and disabled, with no process left. */
async function isParked(): Promise<boolean> {
  const pattern = `${placement.database}\\_%`;
  const [home] = await sql(
    app.databaseUrl,
    "select count(*)::int as parked from pg_subscription where subname like $1 and not subenabled",
    [pattern],
  );
  const [region] = await sql(
    tenant,
    "select count(*)::int as parked from pg_subscription where subname like $1 and not subenabled",
    [pattern],
  );
  const [busy] = await sql(
    tenant,
    "select count(*)::int as n from pg_replication_slots where slot_name like $1 and active",
    [pattern],
  );
  return home?.["parked"] === 1 && region?.["parked"] === 1 && busy?.["n"] === 0;
}

async function catalogNames(): Promise<string[]> {
  const rows = await sql<{ name: string }>(
    app.databaseUrl,
    "select name from catalog.resources where organization_id = $1 order by name",
    [organization],
  );
  return rows.map(({ name }) => name);
}

async function directoryNames(): Promise<string[]> {
  const rows = await sql<{ name: string }>(tenant, "select name from tenantry.directory_members order by name");
  return rows.map(({ name }) => name);
}

const slot = (direction: "directory" | "catalog") => `${placement.database}_${direction}`;

async function databaseId(): Promise<number> {
  const [row] = await sql<{ id: number }>(app.databaseUrl, "select id from tenantry.tenant_databases where name = $1", [
    placement.database,
  ]);
  return row?.id ?? 0;
}

/** SQL for an id that leads into the tenant database. */
const freshId = async () => routedIdSql(await placementNumber(app.databaseUrl, organization, placement.database));

async function insertByHand(name: string): Promise<void> {
  await sql(
    tenant,
    `insert into app.resources (database_id, id, organization_id, name)
     select database_id, ${await freshId()}, $1, $2 from tenantry.identity`,
    [organization, name],
  );
}

test("a write is seen by the caller's next read, both ways, and the links are parked again", async () => {
  await createResource(app, { name: "Seen", organizationId: organization });
  expect(await catalogNames()).toEqual(["Seen"]);
  await addMember(app, organization, await createUser(app, "Member"));
  expect(await directoryNames()).toEqual(["Member"]);
  expect(await eventually(() => isParked())).toBe(true);
});

test("another instance sees it too", async () => {
  const other = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" });
  for (let round = 0; round < 5; round += 1) {
    const id = await createResource(other, { name: `Round ${round}`, organizationId: organization });
    const { organization: read } = await app.ask(
      "query ($id: ID!) { organization(id: $id) { resources(first: 100) { edges { node { id } } } } }",
      { id: organization },
    );
    expect(JSON.stringify(read)).toContain(id);
  }
  await other.stop();
});

test("who was just added can comment at once", async () => {
  const resource = await createResource(app, { name: "Open", organizationId: organization });
  for (let round = 0; round < 5; round += 1) {
    const user = await createUser(app, `Fresh${round}`);
    await addMember(app, organization, user);
    const { createComment } = await app.ask(
      "mutation ($input: CreateCommentInput!) { createComment(input: $input) { author { name } } }",
      { input: { resourceId: resource, body: "Hello" } },
      user,
    );
    expect(createComment.author.name).toBe(`Fresh${round}`);
  }
});

test("a member written by hand at home arrives without a sweep", async () => {
  const user = await createUser(app, "Handmade");
  await sql(app.databaseUrl, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [organization, user]);
  await eventually(async () => (await directoryNames()).length === 1);
  expect(await directoryNames()).toEqual(["Handmade"]);
});

test("a resource written by hand in the region is found by the sweep", async () => {
  await insertByHand("By hand");
  expect(await catalogNames()).toEqual([]);
  // The sweep looks for them when a link has not been checked for a while.
  await sql(app.databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
  await app.sweep();
  await eventually(async () => (await catalogNames()).length === 1);
  expect(await catalogNames()).toEqual(["By hand"]);
});

test("a slot that holds back too much and has nothing to send is moved without being woken", async () => {
  const retained = async (url: string, direction: "directory" | "catalog") => {
    const [row] = await sql<{ bytes: string }>(
      url,
      "select pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::text as bytes from pg_replication_slots where slot_name = $1",
      [slot(direction)],
    );
    return Number(row?.bytes);
  };
  // A change that was carried is no change that waits: the sweep takes it off its list first.
  await sql(app.databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
  await app.sweep();
  expect(await eventually(() => isParked())).toBe(true);
  for (const url of [app.databaseUrl, `${serverUrl("eu")}/postgres`])
    await sql(
      url,
      "select count(pg_logical_emit_message(true, 'test', repeat('x', 1000))) from generate_series(1, 2000)",
    );
  expect(await retained(app.databaseUrl, "directory")).toBeGreaterThan(1_000_000);
  expect(await retained(tenant, "catalog")).toBeGreaterThan(1_000_000);
  // Past what was written so far: other tests write on these servers all the time, so that the end of the WAL says nothing.
  const isPast = async (url: string, direction: "directory" | "catalog", position: unknown) => {
    const text = "select confirmed_flush_lsn >= $2::pg_lsn as past from pg_replication_slots where slot_name = $1";
    return (await sql(url, text, [slot(direction), position]))[0]?.["past"] === true;
  };
  const end = async (url: string) => (await sql(url, "select pg_current_wal_lsn()::text as lsn"))[0]?.["lsn"];
  const [atHome, inRegion] = [await end(app.databaseUrl), await end(tenant)];
  // A link that is being put to rest at that moment is left to the next sweep.
  const moved = eventually(async () => {
    await app.sweep();
    return (await isPast(app.databaseUrl, "directory", atHome)) && (await isPast(tenant, "catalog", inRegion));
  });
  expect(await moved).toBe(true);
  await createResource(app, { name: "Afterwards", organizationId: organization });
  expect(await catalogNames()).toEqual(["Afterwards"]);
});

test.each([
  ["slot at home", async () => sql(app.databaseUrl, "select pg_drop_replication_slot($1)", [slot("directory")])],
  ["slot in the region", async () => sql(tenant, "select pg_drop_replication_slot($1)", [slot("catalog")])],
  ["subscription at home", () => dropSubscription(app.databaseUrl, slot("catalog"))],
  ["subscription in the region", () => dropSubscription(tenant, slot("directory"))],
  ["publication at home", async () => sql(app.databaseUrl, `drop publication ${slot("directory")}`)],
  ["publication in the region", async () => sql(tenant, `drop publication ${slot("catalog")}`)],
])("a lost %s is mended, and the copies agree afterwards", async (_, damage) => {
  await createResource(app, { name: "Before", organizationId: organization });
  await addMember(app, organization, await createUser(app, "Before"));
  expect(await eventually(() => isParked())).toBe(true);
  await damage();
  // Written while it is broken: also rows that only the copy has.
  await insertByHand("Meanwhile");
  const user = await createUser(app, "Meanwhile");
  await sql(app.databaseUrl, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [organization, user]);
  await sql(app.databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
  await app.sweep();
  await eventually(async () => (await catalogNames()).length === 2 && (await directoryNames()).length === 2);
  expect(await catalogNames()).toEqual(["Before", "Meanwhile"]);
  expect(await directoryNames()).toEqual(["Before", "Meanwhile"]);
  expect(await eventually(() => isParked())).toBe(true);
});

test("a reseed removes rows that only the copy has and restores those it lost", async () => {
  await createResource(app, { name: "Real", organizationId: organization });
  expect(await eventually(() => isParked())).toBe(true);
  await sql(app.databaseUrl, "delete from catalog.resources where organization_id = $1", [organization]);
  await sql(
    app.databaseUrl,
    `insert into catalog.resources (placement_number, id, organization_id, name)
     select number, gen_random_uuid(), organization_id, 'Ghost' from tenantry.placements where organization_id = $1`,
    [organization],
  );
  await sql(tenant, "select pg_drop_replication_slot($1)", [slot("catalog")]);
  await app.sweep();
  await eventually(async () => (await catalogNames()).join() === "Real");
  expect(await catalogNames()).toEqual(["Real"]);
});

test("an apply error is named, delays no other database, and is over when its cause is gone", async () => {
  const other = await createOrganization(app, "Unharmed");
  await grant(app, other, "eu");
  await sql(tenant, "alter table tenantry.directory_members add constraint broken check (name <> 'Poison')");
  const user = await createUser(app, "Poison");
  await sql(app.databaseUrl, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [organization, user]);
  const failure = () =>
    sql<{ failure: string }>(
      app.databaseUrl,
      "select failure from tenantry.links where direction = 'directory' and database_id = $1 and failure is not null",
      [id],
    );
  const id = await databaseId();
  expect(await eventually(async () => (await failure()).length === 1)).toBe(true);
  const started = await createResource(app, { name: "Elsewhere", organizationId: other });
  expect(started).toBeTruthy();
  await addMember(app, other, await createUser(app, "Fine"));
  await sql(tenant, "alter table tenantry.directory_members drop constraint broken");
  await eventually(async () => (await directoryNames()).join() === "Poison");
  expect(await directoryNames()).toEqual(["Poison"]);
  expect(await eventually(async () => (await failure()).length === 0)).toBe(true);
});

test("a tenant database cannot write another's rows in the catalog, nor its own for another organization", async () => {
  const victim = await createOrganization(app, "Victim");
  await grant(app, victim, "eu");
  const target = await createResource(app, { name: "Untouched", organizationId: victim });
  const [row] = await sql<{ database_id: number }>(
    app.databaseUrl,
    "select database_id from tenantry.placements where organization_id = $1",
    [victim],
  );
  // What a region's administrator can do: publish everything, switch the triggers off, write what they like.
  await sql(tenant, `drop publication ${slot("catalog")}`);
  await sql(tenant, `create publication ${slot("catalog")} for table app.resources`);
  await sql(tenant, "alter table app.resources disable trigger all");
  const forge = (id: number, name: string, owner: string) =>
    sql(tenant, "insert into app.resources (database_id, id, organization_id, name) values ($1, $2, $3, $4)", [
      id,
      target,
      owner,
      name,
    ]);
  await forge(row?.database_id ?? 0, "Forged", victim);
  await sql(tenant, "update app.resources set name = 'Forged again' where id = $1", [target]);
  await sql(tenant, "delete from app.resources where id = $1", [target]);
  await forge(await databaseId(), "Forged owner", victim);
  await sql(tenant, `alter publication ${slot("catalog")} set (publish = 'insert, update, delete, truncate')`);
  await sql(tenant, "truncate app.resources cascade").catch(() => undefined);
  // An honest row behind them shows that they have arrived and were left out.
  await sql(
    tenant,
    `insert into app.resources (database_id, id, organization_id, name) values ($1, ${await freshId()}, $2, 'Honest')`,
    [await databaseId(), organization],
  );
  await sql(app.databaseUrl, "select pg_notify('tenantry_nudge', $1)", [`${await databaseId()} catalog`]);
  await eventually(async () => (await catalogNames()).includes("Honest"));
  expect(await catalogNames()).toEqual(["Honest"]);
  expect(
    await sql(app.databaseUrl, "select name, organization_id from catalog.resources where id = $1", [target]),
  ).toEqual([{ name: "Untouched", organization_id: victim }]);
});

test("when the carrying process ends, another takes over", async () => {
  const [first, databaseUrl, secretKey] = [app, app.databaseUrl, app.secretKey];
  const second = await startApp({ databaseUrl, secretKey, replication: { carrier: { idleMs: 100 } } });
  const api = await startApp({ databaseUrl, secretKey, role: "api" });
  await first.stop();
  await eventually(async () => {
    await createResource(api, { name: "After the takeover", organizationId: organization });
    return (await catalogNames()).length > 0;
  });
  expect((await catalogNames()).length).toBeGreaterThan(0);
  await api.stop();
  app = second;
});

async function dropSubscription(url: string, name: string): Promise<void> {
  await sql(url, `alter subscription ${name} set (slot_name = none)`);
  await sql(url, `drop subscription ${name}`);
}
