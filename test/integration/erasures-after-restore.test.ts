/** Erasures since a backup are known where its restore does not reach: they are done again, at home and in the regions. */
import { appendFileSync, chownSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import { findErasureDifferences } from "../../src/engine/erasure/review-erasures.ts";
import { adopt, planAdoption } from "../../src/engine/regions/adopt.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { backUp, type OwnServer, startServer } from "../support/servers.ts";

const FAST = { sweepIntervalMs: 500, carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50, maxRetryMs: 500 } };
const ERASE = "mutation ($id: ID!) { eraseUser(id: $id) { complete } }";

let home: OwnServer;
let app: TestApp;
beforeAll(async () => {
  home = await startServer();
  app = await startApp({ homeServer: home.url(), replication: FAST });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(async () => {
  await app.stop();
  await home[Symbol.asyncDispose]();
});

/** A user with a comment in the region. */
async function author(name: string, region = "eu", server = serverUrl("eu")) {
  const user = await createUser(app, name.split(" ")[0]);
  const organization = await createOrganization(app, name);
  await addMember(app, organization, user);
  const { database } = await grant(app, organization, region);
  await comment(app, await createResource(app, { name, organizationId: organization }, user), user);
  return { user, organization, database, tenant: `${server}/${database}` };
}

async function restart(): Promise<void> {
  const { databaseUrl, secretKey } = app;
  app = await startApp({ databaseUrl, secretKey, replication: FAST });
}

/** Whether home and the tenant database know the person by name, and how many rows have the id. */
async function traces({ user, tenant }: { user: string; tenant: string }) {
  const atHome = await sql(app.databaseUrl, "select name from tenantry.users where id = $1", [user]);
  const there = await sql(tenant, "select name from tenantry.directory_members where user_id = $1", [user]);
  const rows = await sql(
    tenant,
    "select from app.resources where created_by = $1 union all select from app.comments where author_id = $1",
    [user],
  );
  const inCatalog = await sql(app.databaseUrl, "select from catalog.resources where created_by = $1", [user]);
  return { home: atHome[0]?.["name"], there: there[0]?.["name"], rows: rows.length + inCatalog.length };
}
const ERASED = { home: "Erased user", there: "Erased user", rows: 0 };

const differences = async () =>
  (await findErasureDifferences(app.services)).map(({ database, forgottenAtHome, forgottenThere, forged }) => ({
    database,
    forgottenAtHome: forgottenAtHome.map(({ userId }) => userId),
    forgottenThere,
    forged,
  }));

/** Stops and starts the server with a copy put aside. `recover` goes back to it, in another timeline. */
async function recoverable(server: OwnServer): Promise<{ recover: () => Promise<void> }> {
  await server.server.stop();
  const { restore } = backUp(server);
  await server.server.start();
  return {
    recover: async () => {
      await server.server.stop();
      restore();
      // The end of what the backup has of the WAL is the moment; a new timeline begins there.
      const signal = join(server.dataFolder, "recovery.signal");
      writeFileSync(signal, "");
      const { uid, gid } = statSync(server.dataFolder);
      chownSync(signal, uid, gid);
      appendFileSync(join(server.dataFolder, "postgresql.auto.conf"), "\nrestore_command = 'false'\n");
      await server.server.start();
      await expect
        .poll(() => sql(server.url("postgres"), "select pg_is_in_recovery() as busy").catch(() => []), {
          timeout: 10_000,
        })
        .toEqual([{ busy: false }]);
    },
  };
}

/** Puts the copy in the place of home's database, as a restored dump: what PostgreSQL keeps beside a database is gone. */
async function restoreDump(copy: string): Promise<void> {
  const name = new URL(app.databaseUrl).pathname.slice(1);
  const subscriptions = await sql<{ name: string }>(app.databaseUrl, "select subname as name from pg_subscription");
  for (const { name: subscription } of subscriptions)
    for (const change of ["disable", "set (slot_name = none)"])
      await sql(app.databaseUrl, `alter subscription ${subscription} ${change}`);
  for (const { name: subscription } of subscriptions) await sql(app.databaseUrl, `drop subscription ${subscription}`);
  await sql(home.url("postgres"), `drop database ${name} with (force)`);
  await sql(home.url("postgres"), `alter database ${copy} rename to ${name}`);
}

test("a dump of home from before is restored, and the person is erased again", { timeout: 60_000 }, async () => {
  const before = await author("Before");
  const undone = await author("Undone");
  await app.ask(ERASE, { id: before.user });
  await app.stop();
  await sql(home.url("postgres"), `create database dumped template ${new URL(app.databaseUrl).pathname.slice(1)}`);
  await restart();
  expect((await app.ask(ERASE, { id: undone.user })).eraseUser.complete).toBe(true);
  // Of somebody whom the backup does not know, home learns the id alone.
  const unknown = await createUser(app, "Unknown");
  expect((await app.ask(ERASE, { id: unknown })).eraseUser.complete).toBe(true);
  await app.stop();
  await restoreDump("dumped");

  // Before anything has noticed: what doctor lists.
  expect(await sql(app.databaseUrl, "select name from tenantry.users where id = $1", [undone.user])).toEqual([
    { name: "Undone" },
  ]);
  const { databaseUrl, secretKey } = app;
  app = await startApp({ databaseUrl, secretKey, role: "api" });
  const forgottenAtHome = [undone.user, unknown].toSorted();
  expect(await differences()).toEqual(
    [before.database, undone.database].map((database) => ({
      database,
      forgottenAtHome,
      forgottenThere: [],
      forged: 0,
    })),
  );
  await app.stop();

  await restart();
  // A restored dump is another home until a person says that it is not.
  await adopt(app.services, OPERATOR, await planAdoption(app.services, OPERATOR));
  await expect.poll(() => traces(undone), { timeout: 30_000 }).toEqual(ERASED);
  await expect.poll(differences, { timeout: 20_000 }).toEqual([]);
  expect(await traces(before)).toEqual(ERASED);
  const logged = await sql<{ id: string }>(
    app.databaseUrl,
    "select distinct subject_id as id from tenantry.audit_log where action = 'eraseUser' and via = 'JOB' order by 1",
  );
  expect(logged.map(({ id }) => id)).toEqual(forgottenAtHome);
});

test("a home that was recovered to a moment before erases the person again", { timeout: 60_000 }, async () => {
  const undone = await author("Recovered");
  await app.stop();
  const moment = await recoverable(home);
  await restart();
  expect((await app.ask(ERASE, { id: undone.user })).eraseUser.complete).toBe(true);
  await app.stop();
  await moment.recover();
  await restart();
  await expect.poll(() => traces(undone), { timeout: 30_000 }).toEqual(ERASED);
});

test("a region that was restored is named, and repaired", async () => {
  const undone = await author("Region");
  expect((await app.ask(ERASE, { id: undone.user })).eraseUser.complete).toBe(true);
  await sql(undone.tenant, "delete from tenantry.erasures where user_id = $1", [undone.user]);
  await sql(undone.tenant, "update app.comments set author_id = $1", [undone.user]);
  const { user, database } = undone;
  expect(await differences()).toEqual([{ database, forgottenAtHome: [], forgottenThere: [user], forged: 0 }]);
  expect(await repair(app.services, OPERATOR, [])).toEqual([
    { server: "home", what: "1 erasures", done: true, outcome: `in ${database}: done again by jobs` },
  ]);
  await expect.poll(() => traces(undone), { timeout: 20_000 }).toEqual(ERASED);
  await expect.poll(differences, { timeout: 20_000 }).toEqual([]);
});

test("a database that is being made while somebody is erased has forgotten nobody", async () => {
  const erased = await author("Meanwhile");
  const organization = await createOrganization(app, "Made late");
  const reached = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const disarm = armFailpoint("provision-placement/create-database/before", async () => {
    reached.resolve();
    await going.promise;
  });
  try {
    const granted = grant(app, organization, "eu");
    await reached.promise;
    expect((await app.ask(ERASE, { id: erased.user })).eraseUser.complete).toBe(true);
    going.resolve();
    await granted;
  } finally {
    going.resolve();
    disarm();
  }
  expect(await differences()).toEqual([]);
});

test("a region makes home erase nobody", async () => {
  const victim = await author("Victim");
  const erased = await author("Erased");
  expect((await app.ask(ERASE, { id: erased.user })).eraseUser.complete).toBe(true);
  await sql(
    erased.tenant,
    `insert into tenantry.erasures (user_id, id, done_at, proof) select $2, id, done_at, proof from tenantry.erasures where user_id = $1`,
    [erased.user, victim.user],
  );
  expect(await differences()).toEqual([
    { database: erased.database, forgottenAtHome: [], forgottenThere: [], forged: 1 },
  ]);
  expect(await repair(app.services, OPERATOR, [])).toEqual([]);
  expect(await traces(victim)).toEqual({ home: "Victim", there: "Victim", rows: 3 });
});

test("a region that was recovered to a moment before loses the id again", { timeout: 60_000 }, async () => {
  await using region = await startServer();
  await registerRegion(app, "own", region.url());
  const undone = await author("Recovered there", "own", region.url());
  const moment = await recoverable(region);
  expect((await app.ask(ERASE, { id: undone.user })).eraseUser.complete).toBe(true);
  await moment.recover();
  await expect.poll(() => traces(undone).catch(() => undefined), { timeout: 30_000 }).toEqual(ERASED);
});
