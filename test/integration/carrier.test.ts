/** A carrier by itself: what it does to a link when things happen at once. */
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { findLinkedDatabase } from "../../src/engine/home/replicated-databases.ts";
import { REGION_CHANNEL } from "../../src/engine/regions/regions.ts";
import { regionServer } from "../../src/engine/regions/region-address.ts";
import { inCall } from "../../src/base/kernel/call.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { createLogger } from "../../src/base/observability/logger.ts";
import { startGateway } from "../../src/engine/links/run-gateway.ts";
import type { Services } from "../../src/engine/services.ts";
import { closeServices, createServices } from "../../src/services.ts";
import { tenantLinks } from "../../src/engine/links/tenant-links.ts";
import { DAMAGE } from "../../src/engine/replication/damage.ts";
import { Carrier } from "../../src/engine/replication/carrier.ts";
import { tellSubscriber } from "../../src/engine/replication/establish.ts";
import type { Link } from "../../src/engine/replication/link.ts";
import type { LinkId } from "../../src/engine/replication/nudge.ts";
import { sql, startApp } from "../support/app.ts";
import { connectionsOf } from "../support/connections.ts";
import { createOrganization, eventually, grant, registerRegion } from "../support/journey.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { placementNumber, routedIdSql } from "../support/routed-id.ts";
import { type OwnServer, startServer } from "../support/servers.ts";
import { recordStatements } from "../support/statements.ts";
import { MendPermits } from "../../src/engine/replication/mend-permits.ts";
import { LOCK_CLASS } from "../../src/base/postgres/session-lock.ts";
import { startForwarder } from "../support/forwarder.ts";

let server: OwnServer;
let services: Services;
let gateway: Awaited<ReturnType<typeof startGateway>>;
let tenant: string;
/** Writes a resource in the tenant database. */
let insert: string;
let installation: Installation;

const LOCAL = { host: "127.0.0.1", port: 0 };

beforeAll(async () => {
  server = await startServer();
  const app = await startApp({ homeServer: server.url() });
  await registerRegion(app, "own", server.url());
  const organization = await createOrganization(app, "Carried");
  const { database } = await grant(app, organization, "own");
  installation = { homeUrl: app.databaseUrl, regionUrl: (_, name) => server.url(name) };
  tenant = server.url(database);
  const fresh = routedIdSql(await placementNumber(app.databaseUrl, organization, database));
  insert = `insert into app.resources (database_id, id, organization_id, name)
    values (1, ${fresh}, '${organization}', 'Late')`;
  await eventually(async () => (await findUnrest(installation)).length === 0);
  const { databaseUrl, secretKey } = app;
  // From here on nobody carries but the test.
  await app.stop();
  services = await createServices({
    databaseUrl,
    secretKey,
    logger: createLogger({ level: "silent" }),
    tenantSchema: TENANT_SCHEMA,
  });
  gateway = await startGateway(services, LOCAL);
  await tellSubscriber(await openLink(id));
});
afterAll(async () => {
  await gateway.close();
  await closeServices(services);
  await server[Symbol.asyncDispose]();
});

const id = { databaseId: 1, direction: "catalog" } as const;

async function openLink({ databaseId, direction }: LinkId): Promise<Link> {
  const database = await findLinkedDatabase(services, databaseId);
  if (database === undefined) throw new Error("there is no such tenant database");
  return (await tenantLinks(services, database))[direction];
}

async function newCarrier(
  options: ConstructorParameters<typeof Carrier>[1],
  startsSlowly: boolean,
  report: (message: string) => void = () => undefined,
  { mends = new MendPermits(), port }: { mends?: MendPermits; port?: number } = {},
): Promise<Carrier> {
  const database = await findLinkedDatabase(services, id.databaseId);
  const { address } = await regionServer(services, database?.regionId ?? "");
  return new Carrier(
    {
      home: services.home,
      region: services.pools.open("server", { ...address, ...(port !== undefined && { port }) }, "postgres"),
      openLink,
      reopenLink: openLink,
      capacity: { directory: 1, catalog: 1 },
      mends,
      startsSlowly: { directory: startsSlowly, catalog: startsSlowly },
      timelines: { home: "00000001", region: "00000001" },
      onFork: () => undefined,
      report,
    },
    options,
  );
}

/** Has the server log changes of subscriptions; returns how often it has logged a statement of ours. */
async function logStatements(value: "ddl" | "none"): Promise<(name: string) => number> {
  await sql(server.url("postgres"), `alter system set log_statement = ${value}`);
  await sql(server.url("postgres"), "select pg_reload_conf()");
  await eventually(
    async () =>
      (await sql<{ v: string }>(server.url("postgres"), "select current_setting('log_statement') as v"))[0]?.v ===
      value,
  );
  return (name) => readFileSync(`${server.dataFolder}.log`, "utf8").split(`tenantry: ${name} `).length - 1;
}

test("a subscription is told of another gateway before it is woken, once, and of another password", async () => {
  using recorded = recordStatements();
  const told = () => recorded.sent.filter(({ name }) => name === "subscription.options").length;
  const reports: string[] = [];
  const { name } = await openLink(id);
  const carrier = await newCarrier({ idleMs: 50, stallMs: 60_000 }, false, (message) => reports.push(message));
  carrier.start();
  const carry = async () => {
    await sql(tenant, insert);
    await carrier.nudge(id);
    expect(await eventually(async () => !carrier.isBusy(id))).toBe(true);
    expect(await findDifferences(installation)).toEqual([]);
  };
  const kept = async () => (await connectionsOf(installation.homeUrl, name.replace(/_catalog$/, ""))).join();
  await carry();
  expect(told()).toBe(0);

  await gateway.close();
  gateway = await startGateway(services, LOCAL);
  expect(await kept()).not.toContain(`port='${gateway.port}'`);
  await carry();
  expect(await kept()).toContain(`port='${gateway.port}' user='${name}'`);
  await carry();
  expect(told()).toBe(1);

  const before = await kept();
  await sql(installation.homeUrl, "update tenantry.tenant_databases set credential_generation = 2");
  await carry();
  await carry();
  expect(told()).toBe(2);
  expect(await kept()).not.toBe(before);
  // It was told in time: nothing had to fail for it.
  expect(reports).toEqual([]);
  await carrier.stop();
});

test("a link that breaks again while it is mended is not mended twice at the same time", async () => {
  const reports: string[] = [];
  const carrier = await newCarrier({ idleMs: 50, retryMs: 20 }, false, (message) => reports.push(message));
  carrier.start();
  // Whoever makes a slot waits for every transaction that has written.
  const writer = new pg.Client({ connectionString: tenant });
  writer.on("error", () => undefined);
  await writer.connect();
  await writer.query("begin");
  await writer.query(insert);
  const { name } = await openLink(id);
  await sql(server.url("postgres"), "select pg_drop_replication_slot($1)", [name]);
  await carrier.nudge(id, { broken: DAMAGE.slotGone });
  const making = () =>
    sql<{ pid: number }>(
      server.url("postgres"),
      "select pid from pg_stat_activity where query like '%tenantry: slot.create%' and wait_event_type = 'Lock'",
    );
  await eventually(async () => (await making()).length === 1);
  const [first] = await making();
  await carrier.nudge(id, { broken: DAMAGE.slotGone });
  // Between two transactions that it waits for, the first does not wait for a moment: only another one counts.
  const disturbed = async () => ((await making()).some(({ pid }) => pid !== first?.pid) ? true : undefined);
  expect(await waitFor(disturbed, { timeoutMs: 1_000 }), reports.join("\n")).toBeUndefined();
  await writer.query("commit");
  await writer.end();
  // A mended link is at rest for a moment before it is woken: what has arrived is known when the carrier let go of it.
  await eventually(async () => !carrier.isBusy(id));
  await expect.poll(() => findUnrest(installation)).toEqual([]);
  expect(await findDifferences(installation)).toEqual([]);
  await carrier.stop();
});

test("a link whose next attempt is far away is mended when its server answers again", async () => {
  const carrier = await newCarrier({ idleMs: 50, retryMs: 600_000, maxRetryMs: 600_000 }, false);
  for (let failures = 0; failures < 3; failures += 1) await carrier.nudge(id, { broken: DAMAGE.stepFailed });
  carrier.start();
  const mended = async () => (carrier.isBusy(id) ? undefined : true);
  expect(await waitFor(mended, { timeoutMs: 500 })).toBeUndefined();
  expect(carrier.isTroubled).toBe(true);
  carrier.mendNow();
  expect(await eventually(async () => !carrier.isBusy(id))).toBe(true);
  expect(await findDifferences(installation)).toEqual([]);
  await carrier.stop();
});

test("a link in the middle of a step that is going to fail is mended right then when its server has answered", async () => {
  using recorded = recordStatements();
  await using via = await startForwarder(server.url());
  const directory = { ...id, direction: "directory" } as const;
  const reports: string[] = [];
  // When it has been made whole, the way on which the region is asked next is forgotten.
  const report = (message: string) => {
    reports.push(message);
    if (message.endsWith("the copy was reseeded")) via.forget();
  };
  const options = { idleMs: 50, retryMs: 2_500, maxRetryMs: 600_000, statementMs: 300 };
  const carrier = await newCarrier(options, false, report, { port: via.port });
  const { address } = await regionServer(services, (await findLinkedDatabase(services, 1))?.regionId ?? "");
  await services.pools.open("server", { ...address, port: via.port }, "postgres").query("test.connect", "select");
  for (let failures = 0; failures < 2; failures += 1) await carrier.nudge(directory, { broken: DAMAGE.stepFailed });
  carrier.start();
  const asked = () => recorded.sent.filter(({ name }) => name === "subscription.errors").length;
  expect(await eventually(async () => asked() === 1)).toBe(true);
  carrier.mendNow();
  const said = (end: string) => async () => (reports.some((message) => message.endsWith(end)) ? true : undefined);
  expect(await eventually(said("a step failed"))).toBe(true);
  expect(await waitFor(said("the connection was renewed"), { timeoutMs: 2_500 }), reports.join("\n")).toBe(true);
  expect(await eventually(async () => !carrier.isBusy(directory))).toBe(true);
  await carrier.stop();
});

/** Keeps a link from being mended anew. Returns how to let go of it. */
async function holdMend(name: string): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: installation.homeUrl });
  holder.on("error", () => undefined);
  await holder.connect();
  await holder.query("select pg_advisory_lock($1, hashtext($2))", [LOCK_CLASS.mend, name]);
  return () => holder.end();
}

test("a region that falls silent while a link of it is mended gives its permit to another region", async () => {
  using recorded = recordStatements();
  await using via = await startForwarder(server.url());
  const mends = new MendPermits(1);
  const letGo = await holdMend((await openLink(id)).name);
  const silent: string[] = [];
  const options = { idleMs: 50, retryMs: 600_000, maxRetryMs: 600_000 };
  const here = { mends, port: via.port };
  const one = await newCarrier({ ...options, askMs: 100 }, false, (message) => silent.push(message), here);
  one.start();
  await one.nudge(id, { broken: DAMAGE.slotGone });
  await expect.poll(() => recorded.sent.map(({ name }) => name)).toContain("lock.try");
  const reports: string[] = [];
  const other = await newCarrier(options, false, (message) => reports.push(message), { mends });
  other.start();
  const directory = { ...id, direction: "directory" } as const;
  await other.nudge(directory, { broken: DAMAGE.stepFailed });
  const isMended = async () => (reports.some((report) => report.endsWith("was renewed")) ? true : undefined);
  expect(await waitFor(isMended, { timeoutMs: 1_000 })).toBeUndefined();
  const hole = via.swallow();
  expect(await waitFor(isMended, { timeoutMs: 10_000 }), silent.join("\n")).toBe(true);
  expect(silent.join("\n")).toContain("a step failed");
  hole[Symbol.dispose]();
  await letGo();
  await Promise.all([one.stop(), other.stop()]);
  const again = await newCarrier({ idleMs: 50 }, false);
  again.start();
  await again.nudge(id, { broken: DAMAGE.slotGone });
  expect(await eventually(async () => !again.isBusy(id))).toBe(true);
  await again.stop();
});

test("a carrier that waits to mend because other regions do ends at once", async () => {
  const mends = new MendPermits(1);
  const end = Promise.withResolvers<void>();
  const mending = mends.withPermit({}, new AbortController().signal, () => end.promise);
  const reports: string[] = [];
  const carrier = await newCarrier({ idleMs: 50 }, false, (message) => reports.push(message), { mends });
  carrier.start();
  await carrier.nudge(id, { broken: DAMAGE.stepFailed });
  expect(await waitFor(async () => reports[1], { timeoutMs: 500 })).toBeUndefined();
  await carrier.stop();
  expect(reports).toHaveLength(1);
  end.resolve();
  await mending;
});

test("a carrier whose call is over asks for nothing more, and a statement of it has a deadline", async () => {
  using recorded = recordStatements();
  const over = new AbortController();
  const reports: string[] = [];
  const carrier = await inCall({ signal: over.signal }, () =>
    newCarrier({ idleMs: 50, statementMs: 200, retryMs: 600_000 }, false, (message) => reports.push(message)),
  );
  carrier.start();
  // It cannot be enabled while somebody else has it.
  const { name } = await openLink(id);
  const other = new pg.Client({ connectionString: installation.homeUrl });
  await other.connect();
  await other.query(`begin; alter subscription ${name} set (synchronous_commit = 'local')`);
  await carrier.nudge(id);
  await expect.poll(() => reports).toContain(`${name}: a step failed`);
  over.abort(new Error("the region was given up"));
  await other.query("rollback");
  await other.end();
  await carrier.stop();
  const before = recorded.sent.length;
  await carrier.nudge(id);
  const asks = async () => (recorded.sent.length > before ? true : undefined);
  await waitFor(asks, { timeoutMs: 300 });
  await expect(carrier.nudge({ ...id, direction: "directory" })).rejects.toThrow("the region was given up");
  // The gateway looks after slots by itself.
  expect(recorded.sent.slice(before).filter(({ name: statement }) => !statement.startsWith("slot."))).toEqual([]);
  const again = await newCarrier({ idleMs: 50 }, false);
  again.start();
  await again.nudge(id);
  expect(await eventually(async () => !again.isBusy(id))).toBe(true);
  await again.stop();
});

test("where workers start slowly, the launcher is asked again until there is one, and the link is kept awake", async () => {
  const logged = await logStatements("ddl");
  const enables = () => logged("subscription.enable");
  const { name } = await openLink(id);
  const [connection = ""] = await connectionsOf(installation.homeUrl, name.replace(/_catalog$/, ""));
  const connect = (to: string) =>
    sql(installation.homeUrl, `alter subscription ${name} connection '${to.replaceAll("'", "''")}'`);
  const before = enables();
  // Nobody listens there, so that there is no worker, as while the launcher waits.
  await connect(connection.replace(/port='\d+'/, "port='1'"));
  const reports: string[] = [];
  const options = { idleMs: 50, stallMs: 60_000, askAgainMs: 20, slowIdleMs: 60_000 };
  const carrier = await newCarrier(options, true, (message) => reports.push(message));
  carrier.start();
  await carrier.nudge(id);
  await eventually(async () => enables() > before + 3);
  expect(enables(), reports.join("\n")).toBeGreaterThan(before + 3);
  await connect(connection);
  const atEnd = () =>
    sql(
      server.url("postgres"),
      "select from pg_replication_slots where slot_name = $1 and active and confirmed_flush_lsn >= pg_current_wal_flush_lsn()",
      [name],
    );
  expect(await eventually(async () => (await atEnd()).length === 1)).toBe(true);
  expect(await waitFor(async () => (carrier.isBusy(id) ? undefined : true), { timeoutMs: 500 })).toBeUndefined();
  await carrier.stop();
  await logStatements("none");
  await expect.poll(() => findUnrest(installation)).toEqual([]);
});

test("a gateway that was closed hears of regions no more", async () => {
  const closed = await startGateway(services, LOCAL);
  const late = vi.spyOn(closed, "recheck");
  await closed.close();
  const heard = vi.spyOn(gateway, "recheck");
  await services.home.query("test.announce", "select pg_notify($1, '')", [REGION_CHANNEL]);
  await expect.poll(() => heard.mock.calls.length).toBe(1);
  expect(late).not.toHaveBeenCalled();
});
