/** Regions change their address, go away and come back, and are taken out of service. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { connectionsOf } from "../support/connections.ts";
import {
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  type Granted,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences } from "../support/replication-truth.ts";
import { placementNumber, routedIdSql } from "../support/routed-id.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let app: TestApp;
let server: OwnServer;

beforeAll(async () => {
  server = await startServer();
  app = await startApp({ replication: { carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 } } });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(async () => {
  await app.stop();
  await server[Symbol.asyncDispose]();
});

const updateQuery = "mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key name } }";

/** The server's URL with another user and password. */
function urlAs(user: string, password: string): string {
  const url = new URL(server.url());
  url.username = user;
  url.password = password;
  return url.href.replace(/\/$/, "");
}

test("a rotated password loses no row, in either direction", async () => {
  await sql(server.url("postgres"), "create role rotated superuser login password 'password-before'");
  await registerRegion(app, "rotated", urlAs("rotated", "password-before"));
  const organization = await createOrganization(app, "Rotated");
  const { database } = await grant(app, organization, "rotated");
  await createResource(app, { name: "Before", organizationId: organization });
  await sql(server.url("postgres"), "alter role rotated password 'password-after'");
  await sql(
    server.url("postgres"),
    "select pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = 'rotated'",
  );
  // Written while home cannot sign in there, and while the region cannot be reached from home's side.
  await sql(
    server.url(database),
    `insert into app.resources (database_id, id, organization_id, name)
     select database_id, ${routedIdSql(await placementNumber(app.databaseUrl, organization, database))}, $1, 'Meanwhile'
     from tenantry.identity`,
    [organization],
  );
  const user = await createUser(app, "Meanwhile");
  await sql(app.databaseUrl, "insert into tenantry.memberships values ($1, $2, 'MEMBER')", [organization, user]);
  const wrong = { key: "rotated", connectionUrl: urlAs("rotated", "wrong") };
  const refusal = await app.refuse(updateQuery, { input: wrong });
  expect(refusal).toMatchObject({ code: "REGION_UNAVAILABLE", field: "connectionUrl" });
  expect(refusal.message).not.toContain("wrong");
  await app.ask(updateQuery, { input: { key: "rotated", connectionUrl: urlAs("rotated", "password-after") } });
  const installation = {
    homeUrl: app.databaseUrl,
    regionUrl: (_: string, name?: string) => server.url(name),
  };
  await expect
    .poll(
      async () => {
        await sql(app.databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
        await app.sweep();
        return findDifferences(installation);
      },
      { timeout: 15_000 },
    )
    .toEqual([]);
  // No subscription has a server's password, so none has to be told.
  for (const url of [app.databaseUrl, server.url(database)])
    expect(await connectionsOf(url, database)).toEqual([expect.not.stringMatching(/password-(before|after)/)]);
  await createResource(app, { name: "After", organizationId: organization });
});

test("another server is not taken for the region's", async () => {
  const input = { key: "eu", connectionUrl: serverUrl("us") };
  expect(await app.refuse(updateQuery, { input })).toMatchObject({ code: "CONFLICT", field: "connectionUrl" });
  const { updateRegion } = await app.ask(updateQuery, { input: { key: "eu", name: "Europe" } });
  expect(updateRegion).toEqual({ key: "eu", name: "Europe" });
});

test("a region that is down says so to every caller, disturbs no other, and comes back by itself", async () => {
  await using own = await startServer();
  await registerRegion(app, "shaky", own.url());
  const author = await createUser(app, "Author");
  const resourceIn = async (key: string) => {
    const organization = await createOrganization(app, `Of ${key}`);
    await grant(app, organization, key);
    return createResource(app, { name: key, organizationId: organization });
  };
  const [there, elsewhere] = [await resourceIn("shaky"), await resourceIn("eu")];
  await own.server.kill();
  const read = "query ($id: ID!) { resource(id: $id) { name } }";
  const codes = await Promise.all(Array.from({ length: 50 }, async () => (await app.refuse(read, { id: there })).code));
  expect(new Set(codes)).toEqual(new Set(["REGION_UNAVAILABLE"]));
  expect((await app.ask(read, { id: elsewhere })).resource.name).toBe("eu");
  await comment(app, await createResource(app, { name: "Of nobody" }), author);
  await own.server.start();
  const back = await eventually(() =>
    app.ask(read, { id: there }).then(
      ({ resource }) => resource.name,
      () => undefined,
    ),
  );
  expect(back).toBe("shaky");
});

test("a region is retired when nothing is placed in it, and nothing of ours stays there", async () => {
  await using own = await startServer();
  await registerRegion(app, "old", own.url());
  const organization = await createOrganization(app, "Last");
  const { id } = await grant(app, organization, "old");
  const retire = 'mutation { retireRegion(input: { key: "old" }) { key } }';
  expect(await app.refuse(retire)).toMatchObject({ code: "CONFLICT" });
  await app.ask(
    'mutation ($id: ID!) { revokeRegionAccess(input: { placementId: $id, confirm: "Last", skipGrace: true }) { state } }',
    { id },
  );
  await eventually(() =>
    app.ask(retire).then(
      () => true,
      () => false,
    ),
  );
  expect(await app.refuse('{ region(key: "old") { key } }')).toMatchObject({ code: "NOT_FOUND" });
  const input = { organizationId: organization, regionKey: "old" };
  expect(
    await app.refuse("mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }", {
      input,
    }),
  ).toMatchObject({ code: "INVALID_INPUT" });
  const ours = () =>
    sql(
      own.url("postgres"),
      `select datname from pg_database where datname like 'tenantry%'
       union all select slot_name from pg_replication_slots where slot_name like 'tenantry%'`,
    );
  expect(await eventually(async () => (await ours()).length === 0)).toBe(true);
  // Its key is free again.
  await eventually(() =>
    registerRegion(app, "old", own.url()).then(
      () => true,
      () => false,
    ),
  );
  expect((await app.ask('{ region(key: "old") { key } }')).region.key).toBe("old");
});

test("a grant that would not fit is refused with the setting's name, and made when there is room", async () => {
  await using own = await startServer({ settings: { max_replication_slots: "5" } });
  await registerRegion(app, "small", own.url());
  // Somebody else's slot counts, and stays.
  const slot = "select pg_create_physical_replication_slot('somebody')";
  await sql(own.url("postgres"), slot);
  const organizations = await Promise.all(["A", "B", "C"].map((name) => createOrganization(app, name)));
  const [shared = "", joining = ""] = await Promise.all(["E", "F"].map((name) => createOrganization(app, name)));
  expect((await grant(app, shared, "small", "SHARED")).state).toBe("ACTIVE");
  const granted: Granted[] = [];
  for (const organization of organizations) granted.push(await grant(app, organization, "small"));
  expect(granted.map(({ state }) => state)).toEqual(["ACTIVE", "FAILED", "FAILED"]);
  expect(granted[2]?.failure).toContain(
    "max_replication_slots is 5, 2 are Tenantry's, 1 others', 2 kept free and 1 needed. Raise it by 1 at least",
  );
  expect((await grant(app, joining, "small", "SHARED")).state).toBe("ACTIVE");
  expect(await sql(own.url("postgres"), "select from pg_replication_slots where slot_name = 'somebody'")).toHaveLength(
    1,
  );
  const databases = () =>
    sql(own.url("postgres"), "select from pg_database where datname = $1", [granted[2]?.database]);
  expect(await databases()).toEqual([]);
  const input = { placementId: granted[0]?.id, confirm: "A", skipGrace: true };
  await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
    input,
  });
  const retried = await eventually(async () => {
    const { retryPlacement } = await app.ask("mutation ($id: ID!) { retryPlacement(placementId: $id) { state } }", {
      id: granted[2]?.id,
    });
    return retryPlacement.state === "ACTIVE";
  });
  expect(retried).toBe(true);
});

test("a server that says it is home's and is another one is refused, and is shown no password", async () => {
  await using liar = await startServer({ settings: { log_connections: "on" } });
  const [home] = await sql<{ id: string }>(
    app.databaseUrl,
    "select system_identifier::text as id from pg_control_system()",
  );
  // As its superuser can have it.
  await sql(
    liar.url("postgres"),
    `set allow_system_table_mods = on;
     alter function pg_catalog.pg_control_system() rename to honest_control_system;
     create function pg_catalog.pg_control_system(out pg_control_version int, out catalog_version_no int,
       out system_identifier bigint, out pg_control_last_modified timestamptz) language sql
       as $$ select 1, 1, ${home?.id}::bigint, now() $$`,
  );
  const input = { key: "liar", name: "Liar", connectionUrl: liar.url() };
  expect(
    await app.refuse("mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }", { input }),
  ).toMatchObject({
    code: "CONFLICT",
    field: "connectionUrl",
    message: expect.stringContaining("says that it is home's"),
  });
  // The API has not tried to sign in there.
  expect(readFileSync(`${liar.dataFolder}.log`, "utf8")).not.toMatch(/user=tenantry_[0-9a-f]{8}_api/);
});
