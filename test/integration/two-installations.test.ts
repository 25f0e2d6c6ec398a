/** Two installations share one server, as home and as region, and neither touches what is the other's. */
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  type Granted,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let server: OwnServer;
let one: TestApp;
let other: TestApp;

beforeAll(async () => {
  server = await startServer();
  [one, other] = await Promise.all([startApp({ homeServer: server.url() }), startApp({ homeServer: server.url() })]);
});
afterAll(async () => {
  await Promise.all([one.stop(), other.stop()]);
  await server[Symbol.asyncDispose]();
});

async function work(app: TestApp, name: string): Promise<Granted> {
  const [organization, sharing] = [await createOrganization(app, name), await createOrganization(app, name)];
  const granted = await grant(app, organization, "here");
  const shared = await grant(app, sharing, "here", "SHARED");
  expect([granted.state, shared.state]).toEqual(["ACTIVE", "ACTIVE"]);
  const user = await createUser(app, name);
  for (const organizationId of [organization, sharing]) {
    await addMember(app, organizationId, user);
    await comment(app, await createResource(app, { name, organizationId }), user);
  }
  return granted;
}

/** Everything on the server that carries an installation's prefix. */
async function belongings(app: TestApp): Promise<string[]> {
  const rows = await sql<{ what: string }>(
    app.databaseUrl,
    `select 'database ' || datname as what from pg_database where starts_with(datname, $1)
     union all select 'slot ' || slot_name from pg_replication_slots where starts_with(slot_name, $1)
     union all select 'subscription ' || subname from pg_subscription where starts_with(subname, $1)
     union all select 'publication ' || pubname from pg_publication where starts_with(pubname, $1)
     union all select 'role ' || rolname from pg_roles where starts_with(rolname, $1)
     order by what`,
    [`tenantry_${app.services.installation}_`],
  );
  return rows.map(({ what }) => what);
}

const differences = (app: TestApp) =>
  findDifferences({ homeUrl: app.databaseUrl, regionUrl: (_, name) => server.url(name) });

test("both grant, write, replicate, repair and revoke at the same time on one server", async () => {
  for (const app of [one, other]) await registerRegion(app, "here", server.url());
  const [mine, theirs] = await Promise.all([work(one, "One"), work(other, "Other")]);
  for (const app of [one, other]) await expect.poll(() => differences(app), { timeout: 10_000 }).toEqual([]);

  const prefix = `tenantry_${other.services.installation}_`;
  const before = await belongings(other);
  const latest = latestOf(other.services.tenantSchema);
  const template = `database ${prefix}template_${latest.engine}_${latest.app}`;
  const parts = [theirs.database, `${prefix}2`].flatMap((database) => [
    `database ${database}`,
    `slot ${database}_catalog`,
    `slot ${database}_directory`,
    `subscription ${database}_catalog`,
    `subscription ${database}_directory`,
    `publication ${database}_directory`,
  ]);
  expect(before).toEqual([...parts, `role ${prefix}api`, `role ${prefix}inbox`, template].toSorted());
  // The numbers are the same in both: only the installation tells the names apart.
  expect(mine.database.replace(one.services.installation, other.services.installation)).toBe(theirs.database);

  // What is left over is found and removed by whose it is, and by nobody else.
  for (const app of [one, other])
    await sql(server.url("postgres"), `create database tenantry_${app.services.installation}_77`);
  for (const app of [one, other])
    expect((await findOrphans(app.services)).map(({ name }) => name)).toEqual([
      `tenantry_${app.services.installation}_77`,
    ]);
  const leftover = `tenantry_${one.services.installation}_77`;
  const repaired = await repair(one.services, OPERATOR, [leftover]);
  expect(repaired).toEqual([expect.objectContaining({ what: `database ${leftover}`, done: true })]);
  await one.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
    input: { placementId: mine.id, confirm: "One", skipGrace: true },
  });
  const isGone = async () => !(await belongings(one)).some((what) => what.includes(mine.database));
  expect(await eventually(isGone)).toBe(true);
  expect(await belongings(other)).toEqual([...before, `database ${prefix}77`].toSorted());
  await Promise.all([one.sweep(), other.sweep()]);
  await work(other, "Again");
  for (const app of [one, other]) await expect.poll(() => differences(app), { timeout: 10_000 }).toEqual([]);
});
