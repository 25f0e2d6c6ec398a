/** What a region's server refuses, its callers are told in words that say what is the matter, and never in the server's. */
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, createResource, eventually, grant, registerRegion } from "../support/journey.ts";

let app: TestApp;
let organization: string;
let resource: string;
let database: string;
/** The role that the API signs in with. */
let role: string;

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  role = app.services.apiRole.name;
  organization = await createOrganization(app);
  ({ database } = await grantActive(organization));
  resource = await createResource(app, { name: "Project", organizationId: organization });
});
afterAll(() => app.stop());

async function grantActive(organizationId: string): Promise<{ id: string; database: string }> {
  const granted = await eventually(async () => {
    const placement = await grant(app, organizationId, "eu");
    return placement.state === "ACTIVE" ? placement : undefined;
  }, 30_000);
  if (granted === undefined) throw new Error("the placement did not become ACTIVE");
  return granted;
}

const onServer = (text: string, values: unknown[] = []) => sql(`${serverUrl("eu")}/postgres`, text, values);
/** Whoever is connected would not notice. */
const disconnect = () =>
  onServer("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1", [role]);

const READ = "query ($id: ID!) { resource(id: $id) { name comments(first: 1) { edges { node { body } } } } }";
const WRITE = "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }";
const read = () => app.refuse(READ, { id: resource });
const write = () => app.refuse(WRITE, { input: { name: "Another", organizationId: organization, regionKey: "eu" } });

/** Has the server refuse until the test is over, and then waits until it takes callers again. */
async function refusing(on: string, off: string): Promise<void> {
  onTestFinished(async () => {
    await onServer(off);
    await disconnect();
    const isBack = await eventually(() => app.ask(READ, { id: resource }).catch(() => undefined), 20_000);
    expect(isBack).toBeTruthy();
  });
  await onServer(on);
  await disconnect();
}

type Case = [what: string, on: () => string, off: () => string, code: string, words: string];
const cases: Case[] = [
  [
    "a role without a free connection (53300)",
    () => `alter role "${role}" connection limit 0`,
    () => `alter role "${role}" connection limit -1`,
    "REGION_UNAVAILABLE",
    "The region eu has no connection free. Try again later.",
  ],
  [
    "a database without a free connection (53300)",
    () => `alter database "${database}" connection limit 0`,
    () => `alter database "${database}" connection limit -1`,
    "REGION_UNAVAILABLE",
    "The region eu has no connection free. Try again later.",
  ],
  [
    "a role that may not log in (28000)",
    () => `alter role "${role}" nologin`,
    () => `alter role "${role}" login`,
    "REGION_UNAVAILABLE",
    "The region eu does not let Tenantry's role in now. Try again later.",
  ],
  [
    "a database that takes no connections (55000)",
    () => `alter database "${database}" allow_connections false`,
    () => `alter database "${database}" allow_connections true`,
    "REGION_UNAVAILABLE",
    "The region eu lets nobody into the database now. Try again later.",
  ],
  [
    "a role without CONNECT (42501)",
    () => `revoke connect on database "${database}" from "${role}"`,
    () => `grant connect on database "${database}" to "${role}"`,
    "CAPABILITY_MISSING",
    "The region eu does not let Tenantry's role into the database. Tell the operator.",
  ],
];

test.each(cases)("%s", async (_, on, off, code, words) => {
  await refusing(on(), off());
  for (const error of [await read(), await write()]) expect(error).toMatchObject({ code, message: words });
});

test("doctor names a database that takes no connections, with the server's words", async () => {
  await refusing(
    `alter database "${database}" allow_connections false`,
    `alter database "${database}" allow_connections true`,
  );
  const drift = await findDrift(app.services);
  expect(drift.find((one) => one.database === database)?.differences.join()).toMatch(
    /lets nobody into the database now\. Database tenantry_.* on 127\.0\.0\.1:\d+, as postgres: database .* is not currently accepting connections \(SQLSTATE 55000\)\. Somebody closed/,
  );
});

test("a server that is read only takes no writes, which is said, and is read all the same (25006)", async () => {
  await refusing(
    `alter role "${role}" set default_transaction_read_only = on`,
    `alter role "${role}" reset default_transaction_read_only`,
  );
  expect(await write()).toMatchObject({
    code: "REGION_UNAVAILABLE",
    message: "The region eu takes no writes now: it is read only. Try again later.",
  });
  expect((await app.ask(READ, { id: resource })).resource.name).toBe("Project");
});

/** Holds the table that is read and written until the test is over. */
async function lockTable(): Promise<void> {
  const locked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const tenant = app.services.pools.open("tenant", await addressOfRegion(), database);
  const held = tenant.transaction(async (transaction) => {
    await transaction.query("test.lock", "lock table app.resources in access exclusive mode");
    locked.resolve();
    await release.promise;
  });
  onTestFinished(async () => {
    release.resolve();
    await held;
  });
  await locked.promise;
}

async function addressOfRegion() {
  const { hostname: host, port, username: user, password } = new URL(serverUrl("eu"));
  return { ...app.services.homeAddress, host, port: Number(port), user, password };
}

test.each([
  ["57014", "statement_timeout", "The region eu stopped the statement, at a time limit of its own"],
  ["55P03", "lock_timeout", "The region eu is busy: another session held a lock for too long."],
])("a limit of the role's own in time is said to be the region's, not ours (%s)", async (_, setting, words) => {
  await refusing(`alter role "${role}" set ${setting} = '100ms'`, `alter role "${role}" reset ${setting}`);
  await lockTable();
  for (const error of [await read(), await write()])
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining(words) });
});

test("a right that the API's role lacks is CAPABILITY_MISSING and no revocation (42501)", async () => {
  const tenant = `${serverUrl("eu")}/${database}`;
  onTestFinished(async () => {
    await sql(tenant, `grant select, insert on app.resources to "${role}"`);
  });
  await sql(tenant, `revoke select, insert on app.resources from "${role}"`);
  expect(await write()).toMatchObject({
    code: "CAPABILITY_MISSING",
    message: "The region eu does not let Tenantry's role do this. Tell the operator.",
  });
});

test("a placement whose database is gone is CONFLICT and says so (3D000)", async () => {
  const other = await createOrganization(app, "Other");
  const placement = await grantActive(other);
  const id = await createResource(app, { name: "Gone", organizationId: other });
  const drop = async () => {
    await onServer(
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1 and not active`,
      [placement.database],
    );
    const [subscription] = await sql<{ name: string }>(
      `${serverUrl("eu")}/${placement.database}`,
      "select subname as name from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())",
    );
    if (subscription !== undefined)
      for (const text of [
        `alter subscription "${subscription.name}" disable`,
        `alter subscription "${subscription.name}" set (slot_name = none)`,
        `drop subscription "${subscription.name}"`,
      ])
        await sql(`${serverUrl("eu")}/${placement.database}`, text);
    await onServer(`drop database if exists "${placement.database}" with (force)`);
    return true;
  };
  // Whoever carries the region may be mending what was taken away.
  expect(await eventually(() => drop().catch(() => false), 30_000)).toBe(true);
  expect(await app.refuse(READ, { id })).toMatchObject({
    code: "CONFLICT",
    message: "The region eu does not have the database any more. Tell the operator.",
  });
});

test("what the server says stands in no answer", async () => {
  await refusing(`alter role "${role}" connection limit 0`, `alter role "${role}" connection limit -1`);
  expect(JSON.stringify([await read(), await write()])).not.toMatch(
    new RegExp(`${role}|${database}|too many connections`),
  );
});
