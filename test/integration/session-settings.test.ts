/**
 * What somebody else set for a server, a database or a role changes nothing of what Tenantry does: its sessions pin what they
 * rely on, and what runs in apply workers carries its own settings.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { PINNED, PINNED_WHERE_ALLOWED } from "../../src/base/postgres/pinned-settings.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { calm, type Level, OTHER_BOUNDS, OTHER_SETTINGS, setOthers } from "../support/other-settings.ts";
import { findDifferences } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

type Kind = Level["kind"];
const KINDS: readonly Kind[] = ["server", "database", "role"];

/** A server whose database `app` and role `operator`, a superuser, are there to be set something for. */
async function startOwn(): Promise<OwnServer> {
  const own = await startServer({ databases: ["app"] });
  await sql(own.url("postgres"), "create role operator superuser login password 'of-the-operator'");
  await sql(own.url("postgres"), "create role plain login password 'of-the-plain-one'");
  return own;
}

function as(role: "operator" | "plain", own: OwnServer, database = ""): string {
  const url = new URL(own.url());
  url.username = role;
  url.password = role === "operator" ? "of-the-operator" : "of-the-plain-one";
  url.pathname = database;
  return url.href.replace(/\/$/, "");
}

const levelOf = (kind: Kind, name: string): Level => (kind === "server" ? { kind } : { kind, name });

describe.each(KINDS)("set for the %s", (kind) => {
  let own: OwnServer;
  const pools = new Pools(() => undefined);

  beforeAll(async () => {
    own = await startOwn();
    // Such that the callers below are not cut off by them.
    const bounds = Object.fromEntries(Object.keys(OTHER_BOUNDS).map((name) => [name, "'1min'"]));
    const settings = { ...OTHER_SETTINGS, ...bounds };
    for (const role of ["operator", "plain"] as const)
      await setOthers(own.url("postgres"), levelOf(kind, kind === "role" ? role : "app"), settings);
    // A session of nobody's has them all.
    const there = () => sql<{ value: string }>(as("plain", own, "app"), "select current_setting('DateStyle') as value");
    if (!(await eventually(async () => (await there())[0]?.value === "German, DMY")))
      throw new Error("nothing was set");
  });
  afterAll(async () => {
    await pools.close();
    await own[Symbol.asyncDispose]();
  });

  const read = async (role: "operator" | "plain", names: readonly string[], forCallers: boolean) => {
    const address = parseServerUrl(as(role, own), "url");
    const database = pools.open("tenant", address, "app", { forCallers });
    // The first connection finds out what the role may set, the others are told at their start.
    const ask = () =>
      database.session((session) =>
        session.query<{ name: string; value: string }>(
          "test.settings",
          "select name, pg_catalog.current_setting(name) as value from pg_catalog.unnest($1::text[]) as name",
          [names],
        ),
      );
    const [first, second] = await Promise.all([ask(), ask()]);
    expect(second).toEqual(first);
    await database.close();
    expect(await ask()).toEqual(first);
    return Object.fromEntries(first.map(({ name, value }) => [name, value]));
  };

  test.each(Object.entries(PINNED))("%s is %s in every session", async (name, value) => {
    expect(await read("operator", [name], false)).toEqual({ [name]: value });
    expect(await read("plain", [name], false)).toEqual({ [name]: value });
    expect(await read("plain", [name], true)).toEqual({ [name]: value });
  });

  test("bounds of statements hold for callers only", async () => {
    const names = Object.keys(OTHER_BOUNDS);
    const unbounded = Object.fromEntries(names.map((name) => [name, "0"]));
    expect(await read("operator", names, false)).toEqual(unbounded);
    expect(await read("plain", names, false)).toEqual(unbounded);
    const bounded = Object.fromEntries(names.map((name) => [name, "1min"]));
    expect(await read("plain", names, true)).toEqual(bounded);
  });

  test("work of a client that has gone is looked for every 5 s, callers' work aside", async () => {
    const name = "client_connection_check_interval";
    expect(await read("operator", [name], false)).toEqual({ [name]: "5s" });
    expect(await read("plain", [name], false)).toEqual({ [name]: "5s" });
    expect(await read("plain", [name], true)).toEqual({ [name]: "0" });
  });

  test("a superuser's session is no replica", async () => {
    expect(await read("operator", ["session_replication_role"], false)).toEqual({ session_replication_role: "origin" });
  });

  test("a role that is no superuser any more connects all the same", async () => {
    await sql(calm(own.url("postgres")), "alter role operator nosuperuser");
    const database = pools.open("server", parseServerUrl(as("operator", own), "url"), "app");
    await database.close();
    const ask = () => database.query<{ one: number }>("test.one", "select 1 as one").catch(() => undefined);
    expect(await eventually(ask)).toEqual([{ one: 1 }]);
    await sql(calm(own.url("postgres")), "alter role operator superuser");
  });
});

describe.each(KINDS)("a journey with them set for the %s", (kind) => {
  let home: OwnServer;
  let region: OwnServer;
  let app: TestApp;

  beforeAll(async () => {
    [home, region] = await Promise.all([startOwn(), startOwn()]);
    for (const own of [home, region]) {
      const settings = kind === "role" ? { ...OTHER_SETTINGS, ...OTHER_BOUNDS } : OTHER_SETTINGS;
      await setOthers(own.url("postgres"), levelOf(kind, kind === "role" ? "operator" : "app"), settings);
      if (kind === "database") await setOthers(own.url("postgres"), { kind, name: "postgres" }, OTHER_SETTINGS);
    }
    const replication = { sweepIntervalMs: 500, carrier: { idleMs: 50, retryMs: 50 } };
    app = await startApp({ databaseUrl: as("operator", home, "app"), replication });
  });
  afterAll(async () => {
    await app.stop();
    await Promise.all([home[Symbol.asyncDispose](), region[Symbol.asyncDispose]()]);
  });

  test("everything works as without them", async () => {
    await registerRegion(app, "own", as("operator", region));
    const organization = await createOrganization(app, "Acme \\' 🙂");
    const placement = await grant(app, organization, "own");
    expect(placement).toMatchObject({ state: "ACTIVE", failure: null });
    if (kind === "database")
      await setOthers(region.url("postgres"), { kind, name: placement.database }, OTHER_SETTINGS);
    const user = await createUser(app, "Ada");
    await addMember(app, organization, user);
    const resource = await createResource(app, {
      name: "back\\slash 'x' 🙂",
      organizationId: organization,
      regionKey: "own",
    });
    await comment(app, resource, user, "text \\n ' 🙂");
    const installation = {
      homeUrl: calm(home.url("app")),
      regionUrl: (_: string, name?: string) => calm(region.url(name)),
    };
    await eventually(async () => (await findDifferences(installation)).length === 0);
    expect(await findDifferences(installation)).toEqual([]);
    const list =
      "{ resources(first: 5) { edges { node { name createdAt comments(first: 5) { edges { node { body createdAt } } } } } } }";
    const { resources } = await app.ask(list);
    expect(resources.edges).toMatchObject([
      {
        node: {
          name: "back\\slash 'x' 🙂",
          createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
          comments: { edges: [{ node: { body: "text \\n ' 🙂" } }] },
        },
      },
    ]);
    expect(Math.abs(Date.parse(resources.edges[0].node.createdAt) - Date.now())).toBeLessThan(60_000);
    // What home refuses of what a region sends would be counted here.
    const [{ links } = { links: undefined }] = await sql<{ links: number }>(
      calm(home.url("app")),
      "select count(*)::int as links from tenantry.links where failure is not null",
    );
    expect(links).toBe(0);
    // What a pooler's connections have, where the search path travels with each transaction.
    const ofRole = Object.entries({ ...PINNED, ...PINNED_WHERE_ALLOWED }).map(([name, value]) => `${name}=${value}`);
    for (const own of [home, region]) {
      const [{ settings } = { settings: undefined }] = await sql<{ settings: string[] }>(
        calm(own.url("postgres")),
        `select setconfig as settings from pg_db_role_setting
         where setdatabase = 0 and setrole = (select oid from pg_roles where rolname = $1)`,
        [app.services.apiRole.name],
      );
      expect(settings?.toSorted()).toEqual(ofRole.toSorted());
    }
    const input = { placementId: placement.id, confirm: "Acme \\' 🙂", skipGrace: true };
    await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
      input,
    });
    const left = () =>
      sql(calm(region.url("postgres")), "select from pg_database where datname = $1", [placement.database]);
    expect(await eventually(async () => (await left()).length === 0)).toBe(true);
  });
});

test("what runs in apply workers carries its own settings", async () => {
  const app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  const { database } = await grant(app, await createOrganization(app), "eu");
  for (const url of [app.databaseUrl, `${serverUrl("eu")}/${database}`]) {
    const rows = await sql<{ name: string }>(
      url,
      `select distinct p.oid::regprocedure::text as name from pg_trigger t join pg_proc p on p.oid = t.tgfoid
       where t.tgenabled in ('A', 'R')
         and not coalesce(p.proconfig @> '{standard_conforming_strings=on,"search_path=pg_catalog, pg_temp"}', false)`,
    );
    expect(rows).toEqual([]);
  }
  await app.stop();
});
