/**
 * Each way to make subscriptions through the whole life of a link, home and region in the same way and in different ones.
 * The roles are superusers only where that is the way.
 */
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { listReplicatedDatabases } from "../../src/engine/home/replicated-databases.ts";
import { getRegion } from "../../src/engine/regions/regions.ts";
import { repair } from "../../src/engine/doctor/repair.ts";
import { tenantLinks } from "../../src/engine/links/tenant-links.ts";
import { tryRegion } from "../../src/engine/regions/try-server.ts";
import { realignLink } from "../../src/engine/replication/establish.ts";
import { inboxRoleName } from "../../src/engine/replication/names.ts";
import { packageWithAivenExtras, type Unusable } from "../support/aiven-extras.ts";
import { majorVersionOf, serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { connectionsOf } from "../support/connections.ts";
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
import { startForwarder } from "../support/forwarder.ts";
import { HOME_VERSION, OTHER_VERSION } from "../support/global-setup.ts";
import { findDifferences, type Installation } from "../support/replication-truth.ts";
import { ScramClient } from "../support/scram-client.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

type Method = "SUPERUSER" | "PG_CREATE_SUBSCRIPTION" | "AIVEN_EXTRAS";

// They differ in a mixed run.
const homeMajor = await majorVersionOf(`${serverUrl("home")}/postgres`);
const regionMajor = await majorVersionOf(`${serverUrl("eu")}/postgres`);
const methodsOn = (major: number): Method[] =>
  major >= 16 ? ["SUPERUSER", "PG_CREATE_SUBSCRIPTION", "AIVEN_EXTRAS"] : ["SUPERUSER", "AIVEN_EXTRAS"];
const PAIRS = methodsOn(homeMajor)
  .flatMap((home) => methodsOn(regionMajor).map((region) => [home, region] as const))
  .filter(
    // Of the pairs of superusers every other test is made.
    (pair) => pair.some((method) => method !== "SUPERUSER"),
  );
const RIGHTS: Record<Method, string> = {
  SUPERUSER: "superuser",
  PG_CREATE_SUBSCRIPTION: "createdb createrole replication in role pg_create_subscription",
  AIVEN_EXTRAS: "createdb createrole replication",
};

let home: OwnServer;
let region: OwnServer;

beforeAll(async () => {
  const start = async (version: typeof HOME_VERSION, major: number) => {
    const binariesPackage = await packageWithAivenExtras(version);
    const settings = { max_replication_slots: "40", max_wal_senders: "20", max_worker_processes: "40" };
    const more = major >= 18 ? { max_active_replication_origins: "40" } : {};
    return startServer({ binariesPackage, settings: { ...settings, max_logical_replication_workers: "20", ...more } });
  };
  [home, region] = await Promise.all([start(HOME_VERSION, homeMajor), start(OTHER_VERSION, regionMajor)]);
});
afterAll(() => Promise.all([home[Symbol.asyncDispose](), region[Symbol.asyncDispose]()]));

let count = 0;

/** A role of the method's rights, and the server's URL as that role. */
async function roleOn(server: OwnServer, method: Method) {
  count += 1;
  const role = `operator_${count}`;
  await sql(server.url("postgres"), `create role ${role} login password 'password-first' ${RIGHTS[method]}`);
  const url = (password: string, database = "") => {
    const as = new URL(server.url());
    as.username = role;
    as.password = password;
    as.pathname = database;
    return as.href.replace(/\/$/, "");
  };
  const rotate = async () => {
    await sql(server.url("postgres"), `alter role ${role} password 'password-second'`);
    await sql(
      server.url("postgres"),
      "select pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = $1",
      [role],
    );
  };
  return { role, url, rotate };
}

describe.each(PAIRS)("home by %s and the region by %s", (homeMethod, regionMethod) => {
  let app: TestApp;
  let databaseUrl: string;
  let homeRole: Awaited<ReturnType<typeof roleOn>>;
  let regionRole: Awaited<ReturnType<typeof roleOn>>;
  let organization: string;
  let placement: Granted;
  let installation: Installation;
  const replication = { sweepIntervalMs: 3_600_000, carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 } };

  beforeAll(async () => {
    homeRole = await roleOn(home, homeMethod);
    regionRole = await roleOn(region, regionMethod);
    const database = `home_${count}`;
    await sql(home.url("postgres"), `create database ${database} owner ${homeRole.role}`);
    databaseUrl = homeRole.url("password-first", database);
    app = await startApp({ databaseUrl, replication });
    installation = { homeUrl: home.url(database), regionUrl: (_, name) => region.url(name) };
    await registerRegion(app, "own", regionRole.url("password-first"));
    // One for all that follows, which is what a life is.
    organization = await createOrganization(app, "Alive");
    placement = await grant(app, organization, "own");
  });
  afterAll(() => app.stop());
  // Without it everything else would fail in its own words.
  beforeEach(() => {
    if (placement.state !== "ACTIVE") throw new Error(`the placement is ${placement.state}: ${placement.failure}`);
  });

  /** Home's first. */
  const subscriptions = async () => [
    ...(await sql<Subscription>(installation.homeUrl, SUBSCRIPTIONS, [placement.database])),
    ...(await sql<Subscription>(region.url("postgres"), SUBSCRIPTIONS, [placement.database])),
  ];
  const isParked = async () => (await subscriptions()).every(({ enabled }) => !enabled);
  const links = async () => {
    const [database] = await listReplicatedDatabases(app.services, {});
    if (database === undefined) throw new Error("there is no tenant database");
    return tenantLinks(app.services, database);
  };
  const settled = () => eventually(async () => (await findDifferences(installation)).length === 0);
  const write = async (name: string) => {
    await createResource(app, { name, organizationId: organization });
    await addMember(app, organization, await createUser(app, name));
  };
  /** Both directions carry what the API writes, and nothing is different afterwards. */
  const carries = async (name: string) => {
    await write(name);
    expect(await settled()).toBe(true);
  };
  /** The same while a carrier is just being replaced: what it did not hear of, a sweep finds. */
  const sweepsUp = async (name: string) => {
    await write(name);
    const isSettled = await eventually(async () => {
      await sql(installation.homeUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
      await app.sweep();
      return (await findDifferences(installation)).length === 0;
    });
    expect(isSettled).toBe(true);
  };

  const inRegion = () => region.url(placement.database);
  /** What the subscriptions connect with, home's first. */
  const kept = async () => [
    ...(await connectionsOf(installation.homeUrl, placement.database)),
    ...(await connectionsOf(inRegion(), placement.database)),
  ];
  /** That each names a port as its link, and has no server's password. */
  const name = (port: number | undefined) =>
    ["catalog", "directory"].map((direction) =>
      expect.stringMatching(
        new RegExp(`^(?!.*password-(first|second)).*port='${port}' user='${placement.database}_${direction}' `),
      ),
    );
  const restart = async (password: string, gateway: { port: number; address?: string }) => {
    const { secretKey } = app;
    await app.stop();
    databaseUrl = homeRole.url(password, new URL(databaseUrl).pathname.slice(1));
    app = await startApp({ databaseUrl, gateway: { host: "127.0.0.1", ...gateway }, secretKey, replication });
  };

  test("the way is the one that the probe chose", async () => {
    const { region: probed } = await app.ask('{ region(key: "own") { server { subscriptionMethod } } }');
    expect(probed.server.subscriptionMethod).toBe(regionMethod);
    const inbox = { owner: inboxRoleName(app.services.installation), superuser: false };
    const provider = { owner: new URL(home.url()).username, superuser: true };
    // The extension's belong to the superuser. What another way makes at home belongs to the role of the inbox.
    expect(await subscriptions()).toMatchObject([
      homeMethod === "AIVEN_EXTRAS" ? provider : { ...inbox, runsAsOwner: homeMajor >= 16 ? "true" : null },
      regionMethod === "AIVEN_EXTRAS" ? provider : { owner: regionRole.role, superuser: regionMethod === "SUPERUSER" },
    ]);
    expect(await kept()).toEqual(name(app.gatewayPort));
    const roles = await sql<{ rolsuper: boolean }>(
      region.url("postgres"),
      "select rolsuper from pg_roles where rolname = $1",
      [regionRole.role],
    );
    expect(roles).toEqual([{ rolsuper: regionMethod === "SUPERUSER" }]);
  });

  test("create, wake and park", async () => {
    expect(await eventually(isParked)).toBe(true);
    await carries("First");
    expect(await eventually(isParked)).toBe(true);
    await carries("Second");
    expect(await eventually(isParked)).toBe(true);
    const failures = await sql(installation.homeUrl, "select failure from tenantry.links where failure is not null");
    expect(failures).toEqual([]);
    // Nothing to find fault with, although the extension cannot set every option.
    const before = await subscriptions();
    await app.sweep();
    expect(await eventually(isParked)).toBe(true);
    expect((await subscriptions()).map(({ oid }) => oid)).toEqual(before.map(({ oid }) => oid));
  });

  test("refresh: what flows is narrowed, and widened again", async () => {
    expect(await eventually(isParked)).toBe(true);
    const { catalog } = await links();
    const fewer = catalog.tables.map((table) => ({
      ...table,
      columns: table.columns.filter((column) => column !== "created_by"),
    }));
    expect(await realignLink({ ...catalog, tables: fewer })).toBe("narrowed");
    expect(await realignLink(catalog)).toBe("reseeded");
    await carries("Refreshed");
  });

  test("reseed: lost slots on both sides are mended", async () => {
    expect(await eventually(isParked)).toBe(true);
    const drop =
      "select pg_drop_replication_slot(slot_name) from pg_replication_slots where starts_with(slot_name, $1)";
    await sql(installation.homeUrl, drop, [placement.database]);
    await sql(region.url(placement.database), drop, [placement.database]);
    const user = await createUser(app, "Meanwhile");
    await sql(installation.homeUrl, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [organization, user]);
    await app.sweep();
    expect(await settled()).toBe(true);
    await carries("Reseeded");
  });

  test("rotate: new passwords of both servers, of which no subscription has to be told", async () => {
    expect(await eventually(isParked)).toBe(true);
    const before = await kept();
    await regionRole.rotate();
    await app.ask("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", {
      input: { key: "own", connectionUrl: regionRole.url("password-second") },
    });
    await sweepsUp("Rotated-there");
    await homeRole.rotate();
    await restart("password-second", { port: app.gatewayPort ?? 0 });
    await sweepsUp("Rotated-here");
    expect(await eventually(isParked)).toBe(true);
    expect(await kept()).toEqual(before);
  });

  test("readdress: the gateway is reached at another port, and in another way", async () => {
    expect(await eventually(isParked)).toBe(true);
    const first = app.gatewayPort;
    await restart("password-second", { port: 0 });
    expect(app.gatewayPort).not.toBe(first);
    await sweepsUp("Readdressed");
    expect(await kept()).toEqual(name(app.gatewayPort));

    const port = app.gatewayPort ?? 0;
    await using forwarder = await startForwarder(`postgres://127.0.0.1:${port}`, { open: false });
    await restart("password-second", { port, address: `127.0.0.1:${forwarder.port}` });
    const tried = async () => tryRegion(app.services, OPERATOR, await getRegion(app.services, "own"));
    const obstacle = (server: string, settings: string) =>
      `${server} cannot connect to Tenantry's gateway by ${settings}: nothing listens there.`;
    expect(await tried()).toEqual([
      obstacle("Home's server", "TENANTRY_GATEWAY_HOME_ADDRESS or TENANTRY_GATEWAY_ADDRESS"),
      obstacle("The region's server", "TENANTRY_GATEWAY_ADDRESS"),
    ]);
    await forwarder.open();
    expect(await tried()).toEqual([]);
    await sweepsUp("Forwarded");
    expect(await kept()).toEqual(name(forwarder.port));
    expect(await eventually(isParked)).toBe(true);

    await restart("password-second", { port });
    await sweepsUp("Readdressed-back");
    expect(await kept()).toEqual(name(port));
    expect(await eventually(isParked)).toBe(true);
  });

  /** What becomes of signing in to the gateway by hand as a link, with its password of this generation. */
  const signIn = async (direction: "catalog" | "directory", generation: number) => {
    const [database] = await listReplicatedDatabases(app.services, {});
    const password = app.services.border.passwordOf(database?.databaseId ?? 0, direction, generation);
    const socket = net.connect(app.gatewayPort ?? 0, "127.0.0.1");
    try {
      const client = new ScramClient(socket, `${placement.database}_${direction}`, password);
      return await client.signIn({ replication: "database" });
    } finally {
      socket.destroy();
    }
  };

  test("renew: the links' own passwords, of which the old ones are refused", async () => {
    expect(await eventually(isParked)).toBe(true);
    const before = await kept();
    const answers = (generation: number) =>
      Promise.all([signIn("catalog", generation), signIn("directory", generation)]);
    const [letIn, refused] = [/server_version/, /password authentication failed/].map((pattern) =>
      expect.stringMatching(pattern),
    );
    expect(await answers(1)).toEqual([letIn, letIn]);
    await sql(
      installation.homeUrl,
      "update tenantry.tenant_databases set credential_generation = credential_generation + 1",
    );
    await carries("Renewed");
    const after = await kept();
    expect(after).toEqual(name(app.gatewayPort));
    expect(after.filter((connection) => before.includes(connection))).toEqual([]);
    expect(await answers(1)).toEqual([refused, refused]);
    expect(await answers(2)).toEqual([letIn, letIn]);
    expect(await eventually(isParked)).toBe(true);
  });

  test("repair: a subscription that belongs to nothing is dropped, and its slot", async () => {
    expect(await eventually(isParked)).toBe(true);
    // Of a tenant database that home forgets again.
    await sql(
      installation.homeUrl,
      `insert into tenantry.tenant_databases (id, region_id, isolation, name, engine_version, app_version) overriding system value
       select 999, region_id, 'SHARED', 'forgotten', engine_version, app_version from tenantry.tenant_databases`,
    );
    const [database] = await listReplicatedDatabases(app.services, {});
    if (database === undefined) throw new Error("there is no tenant database");
    const { directory: other } = await tenantLinks(app.services, { ...database, databaseId: 999 });
    await realignLink(other);
    await sql(installation.homeUrl, "delete from tenantry.tenant_databases where id = 999");
    const repairs = await repair(app.services, OPERATOR, []);
    expect(repairs.map(({ what, done }) => ({ what, done }))).toEqual(
      ["subscription", "slot", "publication"].map((kind) => ({ what: `${kind} ${other.name}`, done: true })),
    );
  });

  test("drop: a revocation leaves nothing on either server", async () => {
    const input = { placementId: placement.id, confirm: "Alive", skipGrace: true };
    await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
      input,
    });
    const traces = async () => [
      ...(await sql(installation.homeUrl, TRACES, [placement.database])),
      ...(await sql(region.url("postgres"), TRACES, [placement.database])),
    ];
    expect(await eventually(async () => (await traces()).length === 0)).toBe(true);
    expect(await traces()).toEqual([]);
    expect(
      await eventually(async () => (await sql(installation.homeUrl, "select from tenantry.placements")).length === 0),
    ).toBe(true);
  });
});

test("a server without any of the ways is refused with what to grant", async () => {
  await using own = await startServer();
  const { role, url } = await roleOn(own, "AIVEN_EXTRAS");
  const app = await startApp();
  const input = { key: "bare", name: "Bare", connectionUrl: url("password-first") };
  const register = "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }";
  const refusal = await app.refuse(register, { input });
  expect(refusal).toMatchObject({ code: "CAPABILITY_MISSING", field: "connectionUrl" });
  expect(refusal.message).toContain(regionMajor >= 16 ? `GRANT pg_create_subscription TO ${role};` : "aiven_extras");
  await sql(own.url("postgres"), "create role doadmin");
  expect((await app.refuse(register, { input })).message).toContain("sign in as doadmin");
  await app.stop();
});

test.each<[Unusable, RegExp]>([
  ["no usage", /PostgreSQL says: permission denied for schema aiven_extras\.$/],
  ["not trusted", /PostgreSQL says: permission denied to create extension "aiven_extras"\.$/],
])(
  "an extension that lies on disk and cannot be used is found when the region is registered: %s",
  async (how, words) => {
    const binariesPackage = await packageWithAivenExtras(OTHER_VERSION, how);
    await using own = await startServer({ binariesPackage });
    // What a new database from template0 does not have, and what the maintenance database has, both mislead.
    await sql(own.url("template1"), "create extension aiven_extras cascade");
    const { role, url } = await roleOn(own, "AIVEN_EXTRAS");
    await using app = await startAppHere();
    const { port } = new URL(own.url());
    const input = { key: "bare", name: "Bare", connectionUrl: url("password-first") };
    const register = "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }";
    const refusal = await app.refuse(register, { input });
    expect(refusal).toMatchObject({ code: "CAPABILITY_MISSING", field: "connectionUrl" });
    expect(refusal.message).toContain(
      `The role ${role} cannot make subscriptions with the extension aiven_extras in a new database of the server at 127.0.0.1:${port}.`,
    );
    expect(refusal.message).toMatch(words);
    // A right of PostgreSQL's own comes before an extension.
    expect(refusal.message).toContain(
      regionMajor >= 16 ? `GRANT pg_create_subscription TO ${role};` : "use the schema aiven_extras",
    );
    expect(await sql(own.url("postgres"), "select from pg_database where datname like 'tenantry%'")).toEqual([]);
  },
);

async function startAppHere(): Promise<TestApp & AsyncDisposable> {
  const app = await startApp();
  return { ...app, [Symbol.asyncDispose]: app.stop };
}

const BOUND = methodsOn(regionMajor).filter((method) => method === "PG_CREATE_SUBSCRIPTION");
test.each(BOUND)(
  "by %s, a server that asks for no password will do: the gateway asks for the link's",
  async (method) => {
    await using own = await startServer({ databases: ["at_home"] });
    const homeRole = await roleOn(own, method);
    await sql(own.url("postgres"), `alter database at_home owner to ${homeRole.role}`);
    const app = await startApp({ databaseUrl: homeRole.url("password-first", "at_home") });
    const regionRole = await roleOn(region, method);
    const [{ file } = { file: "" }] = await sql<{ file: string }>(
      region.url("postgres"),
      "select current_setting('hba_file') as file",
    );
    const rules = readFileSync(file, "utf8");
    const reload = async () => {
      await sql(region.url("postgres"), "select pg_reload_conf()");
    };
    try {
      writeFileSync(file, `host all ${regionRole.role} 127.0.0.1/32 trust\n${rules}`);
      await reload();
      const isTrusted = () =>
        sql(regionRole.url("", "/postgres"), "select").then(
          () => true,
          () => false,
        );
      expect(await eventually(isTrusted)).toBe(true);
      await registerRegion(app, "own", regionRole.url(""));
      const organization = await createOrganization(app, "Trusting");
      expect(await grant(app, organization, "own")).toMatchObject({ state: "ACTIVE", failure: null });
      await createResource(app, { name: "Carried", organizationId: organization });
      await addMember(app, organization, await createUser(app, "Carried"));
      expect(await findDifferences({ homeUrl: own.url("at_home"), regionUrl: (_, name) => region.url(name) })).toEqual(
        [],
      );
    } finally {
      await app.stop();
      writeFileSync(file, rules);
      await reload();
    }
  },
);

test.each(BOUND)("subscriptions of the extension are carried on by a role that has got %s since", async () => {
  const role = await roleOn(region, "AIVEN_EXTRAS");
  const first = await startApp({ replication: { carrier: { idleMs: 50 } } });
  await registerRegion(first, "own", role.url("password-first"));
  const organization = await createOrganization(first, "Upgraded");
  const { database } = await grant(first, organization, "own");
  const { databaseUrl, secretKey } = first;
  await first.stop();
  await sql(region.url("postgres"), `grant pg_create_subscription to ${role.role}`);
  const app = await startApp({ databaseUrl, secretKey, replication: { carrier: { idleMs: 50 } } });
  await addMember(app, organization, await createUser(app, "Later"));
  const members = () => sql(region.url(database), "select name from tenantry.directory_members");
  expect(await eventually(async () => (await members()).length === 1)).toBe(true);
  const parked = () => sql(region.url("postgres"), `${SUBSCRIPTIONS} and not s.subenabled`, [database]);
  expect(await eventually(async () => (await parked()).length === 1)).toBe(true);
  expect(await parked()).toMatchObject([{ superuser: true }]);
  const input = { key: "own", connectionUrl: role.url("password-first") };
  await app.ask("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", { input });
  const { region: probed } = await app.ask('{ region(key: "own") { server { subscriptionMethod } } }');
  expect(probed.server.subscriptionMethod).toBe("PG_CREATE_SUBSCRIPTION");
  await app.stop();
});

type Subscription = {
  oid: number;
  enabled: boolean;
  owner: string;
  superuser: boolean;
  /** Null before 16. */
  runsAsOwner: string | null;
};

const SUBSCRIPTIONS = `
  select s.oid, s.subenabled as enabled, r.rolname as owner, r.rolsuper as superuser,
         to_jsonb(s) ->> 'subrunasowner' as "runsAsOwner"
  from pg_subscription s join pg_roles r on r.oid = s.subowner where starts_with(s.subname, $1 || '_')`;

const TRACES = `
  select 'database ' || datname as name from pg_database where datname = $1
  union all select 'slot ' || slot_name from pg_replication_slots where starts_with(slot_name, $1 || '_')
  union all select 'publication ' || pubname from pg_publication where starts_with(pubname, $1 || '_')
  union all select 'subscription ' || subname from pg_subscription where starts_with(subname, $1 || '_')`;
