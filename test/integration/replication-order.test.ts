/** Transactions that commit in another order than they began in, or are seen later than their commit is written. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { placementNumber, routedIdSql } from "../support/routed-id.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

/** Home and region are databases of one server, where nobody waits for a standby unless a test says so. */
let server: OwnServer;
let app: TestApp;
let organization: string;
let tenant: string;
/** Of the organization's placement. */
let number: number;
let installation: Installation;

beforeAll(async () => {
  server = await startServer({ settings: { synchronous_commit: "local" } });
  app = await startApp({
    homeServer: server.url(),
    replication: {
      sweepIntervalMs: 3_600_000,
      carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 },
      limits: { maxRetainedBytes: 1024 * 1024 * 1024, maxAgeMs: 3_600_000 },
    },
  });
  await registerRegion(app, "own", server.url());
  organization = await createOrganization(app, "Disorderly");
  const { database } = await grant(app, organization, "own");
  tenant = server.url(database);
  number = await placementNumber(app.databaseUrl, organization, database);
  installation = { homeUrl: app.databaseUrl, regionUrl: (_, name) => server.url(name) };
});
afterAll(async () => {
  await app.stop();
  await server[Symbol.asyncDispose]();
});

/** A session that stays open. */
async function session(url: string): Promise<pg.Client & AsyncDisposable> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

const insertResource = (name: string) =>
  `insert into app.resources (database_id, id, organization_id, name)
   select database_id, ${routedIdSql(number)}, '${organization}', '${name}' from tenantry.identity`;

/** Sweeps as if nobody had looked for long, and waits until whatever that found was carried. */
async function sweepAll(): Promise<void> {
  await sql(app.databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
  await app.sweep();
  await expect.poll(() => findUnrest(installation), { timeout: 10_000 }).toEqual([]);
}

test("a resource written first and committed last is not taken for carried", async () => {
  await using slow = await session(tenant);
  await slow.query("begin");
  await slow.query(insertResource("First"));
  await sql(tenant, insertResource("Second"));
  await sweepAll();
  await slow.query("commit");
  await sweepAll();
  expect(await findDifferences(installation)).toEqual([]);
});

test("a member written first and committed last is not taken for carried, also when its nudge is lost", async () => {
  const [first, second] = [await createUser(app, "First"), await createUser(app, "Second")];
  const join = "insert into tenantry.memberships values ($1, $2, 'MEMBER')";
  await using slow = await session(app.databaseUrl);
  await slow.query("begin");
  await slow.query(join, [organization, first]);
  // The second is carried; what home remembers of that is held up until the first has been committed unheard.
  await using blocker = await session(app.databaseUrl);
  await blocker.query("begin");
  await blocker.query("lock table tenantry.links in share mode");
  await sql(app.databaseUrl, join, [organization, second]);
  const recording =
    "select from pg_stat_activity where query like '%tenantry: links.carried%' and wait_event_type = 'Lock'";
  await eventually(async () => (await sql(app.databaseUrl, recording)).length === 1);
  await sql(
    app.databaseUrl,
    "select pg_terminate_backend(pid, 1000) from pg_stat_activity where query like '/* tenantry: listen */%'",
  );
  await slow.query("commit");
  await blocker.query("commit");
  await sweepAll();
  await sweepAll();
  expect(await findDifferences(installation)).toEqual([]);
});

/** Runs a statement whose commit is written and then waits for a standby that never comes, until `work` is done. */
async function unseen(url: string, statement: string, work: () => Promise<void>): Promise<void> {
  await using client = await session(url);
  await sql(server.url("postgres"), "alter system set synchronous_standby_names = 'nobody'");
  await sql(server.url("postgres"), "select pg_reload_conf()");
  await client.query("set synchronous_commit = on");
  const written = client.query(statement);
  const waits = "select from pg_stat_activity where wait_event = 'SyncRep'";
  await eventually(async () => (await sql(server.url("postgres"), waits)).length === 1);
  await work();
  await sql(server.url("postgres"), "alter system reset synchronous_standby_names");
  await sql(server.url("postgres"), "select pg_reload_conf()");
  await written;
}

test("a slot is not moved over a commit that is written and that nobody sees yet", async () => {
  const user = await createUser(app, "Unseen");
  const member = `insert into tenantry.memberships values ('${organization}', '${user}', 'MEMBER')`;
  await unseen(tenant, insertResource("Unseen"), sweepAll);
  await unseen(app.databaseUrl, member, sweepAll);
  await sweepAll();
  expect(await findDifferences(installation)).toEqual([]);
  // All is as it was: what comes now is carried at once.
  await createResource(app, { name: "Seen", organizationId: organization });
  await addMember(app, organization, await createUser(app, "Seen"));
  expect(await findDifferences(installation)).toEqual([]);
});
