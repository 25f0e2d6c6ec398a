/** The database keeps organizations apart, whatever the program asks for; in databases of their own and in a shared one. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_ORGANIZATION_ID } from "../../src/base/kernel/ids.ts";
import { signInAsApi } from "../../src/services.ts";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import type { HomeDatabase, Queryable } from "../../src/base/postgres/database.ts";
import type { TenantRoute } from "../../src/engine/routing/routing.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
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

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

type Tenant = { organization: string; user: string; granted: Granted; resource: string; note: string };

async function tenant(name: string, isolation: "DEDICATED" | "SHARED"): Promise<Tenant> {
  const organization = await createOrganization(app, name);
  const user = await createUser(app, name);
  await addMember(app, organization, user);
  const granted = await grant(app, organization, "eu", isolation);
  const resource = await createResource(app, { name: `${name}'s`, organizationId: organization });
  const note = await comment(app, resource, user, `${name} was here`);
  return { organization, user, granted, resource, note };
}

const superuser = (database: string) => `${serverUrl("eu")}/${database}`;

async function routeOf({ organization }: Tenant): Promise<TenantRoute> {
  const [route] = await app.services.router.routesOf(organization);
  if (route === undefined) throw new Error("there is no route");
  return route;
}

/** The database as the API's connections see it, without a setting. */
async function withoutScope(one: Tenant) {
  return (await routeOf(one)).openUnscoped();
}

const CONTENT = ["app.resources", "app.comments"];
const TABLES = [...CONTENT, "tenantry.directory_organizations", "tenantry.directory_members"];
/** The API adds to it in the same statement as content. */
const AUDIT = "tenantry.audit_log";

/** What any role may do in a database that nobody has taken it from. */
const OUTSIDE_ROW_SECURITY = [
  "select lo_create(0)",
  "select lo_creat(-1)",
  "select lo_from_bytea(0, 'kept')",
  "create temporary table kept (text text)",
  "create table public.kept (text text)",
  "create schema kept",
];

describe.each(["DEDICATED", "SHARED"] as const)("%s", (isolation) => {
  let own: Tenant;
  let other: Tenant;
  beforeAll(async () => {
    own = await tenant("Own", isolation);
    other = await tenant("Other", isolation);
  });

  test("the organizations are in one database only where they share it", () => {
    expect([own.granted.state, other.granted.state]).toEqual(["ACTIVE", "ACTIVE"]);
    expect(own.granted.database === other.granted.database).toBe(isolation === "SHARED");
  });

  test.each([...TABLES, AUDIT])(
    "a statement without WHERE returns the organization's rows of %s only",
    async (table) => {
      const rows = await (await routeOf(own))
        .open()
        .query<{ organization_id: string }>("test.all", `select * from ${table}`);
      expect(new Set(rows.map(({ organization_id: id }) => id))).toEqual(new Set([own.organization]));
    },
  );

  test.each([...TABLES, AUDIT])("a statement for nobody returns no row of %s", async (table) => {
    expect(await (await withoutScope(own)).query("test.all", `select * from ${table}`)).toEqual([]);
  });

  test("rows of another organization cannot be written, nor what is not the app's be changed", async () => {
    const database = (await routeOf(own)).open();
    const insert = (organizationId: string) =>
      database.query(
        "test.insert",
        `insert into app.resources (database_id, id, organization_id, name)
         select database_id, $1, $2, 'Planted' from tenantry.identity`,
        [randomUUID(), organizationId],
      );
    await expect(insert(other.organization)).rejects.toThrow("row-level security");
    for (const table of CONTENT)
      await expect(
        database.query("test.move", `update ${table} set organization_id = $1`, [other.organization]),
      ).rejects.toThrow("row-level security");
    await expect(database.query("test", "delete from tenantry.audit_log")).rejects.toThrow("permission");
    await expect(database.query("test", "truncate app.comments")).rejects.toThrow("permission");
    await expect(database.query("test", "update tenantry.identity set database_id = 1")).rejects.toThrow("permission");
    await expect(database.query("test", "alter table app.comments disable row level security")).rejects.toThrow(
      "must be owner",
    );
  });

  test("a statement without WHERE changes and deletes the organization's rows only", async () => {
    const leaving = await tenant("Careless", isolation);
    const theirs = () =>
      sql<{ row: string }>(
        superuser(other.granted.database),
        `select to_jsonb(r)::text as row from app.resources r where organization_id = $1
         union all select to_jsonb(c)::text from app.comments c where organization_id = $1 order by 1`,
        [other.organization],
      );
    const before = await theirs();
    expect(before).toHaveLength(2);
    const database = (await routeOf(leaving)).open();
    const each = (statement: (table: string) => string) =>
      Promise.all(
        CONTENT.toReversed().map((table) =>
          database.query("test.each", `${statement(table)} returning organization_id`),
        ),
      );
    const changed = [{ organization_id: leaving.organization }];
    expect(await each((table) => `update ${table} set created_at = '2001-02-03'`)).toEqual([changed, changed]);
    expect(await theirs()).toEqual(before);
    // Without its comments, which would go with it.
    for (const table of CONTENT.toReversed())
      expect(await database.query("test.delete", `delete from ${table} returning organization_id`)).toEqual(changed);
    expect(await theirs()).toEqual(before);
    // A statement for nobody reaches nobody's.
    const whole = await withoutScope(other);
    for (const table of CONTENT) {
      expect(await whole.query("test.update", `update ${table} set created_at = now() returning id`)).toEqual([]);
      expect(await whole.query("test.delete", `delete from ${table} returning id`)).toEqual([]);
    }
    expect(await theirs()).toEqual(before);
  });

  test("a comment on another organization's resource is refused, also when its id is known", async () => {
    const database = (await routeOf(own)).open();
    await expect(
      database.query(
        "test.insert",
        `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
         select gen_random_uuid(), database_id, $1, $2, $3, 'Planted' from tenantry.identity`,
        [own.organization, other.resource, own.user],
      ),
    ).rejects.toThrow("foreign key");
  });

  test.each(OUTSIDE_ROW_SECURITY)("nothing can be kept beside the rows, by %s", async (statement) => {
    await expect((await routeOf(own)).open().query("test.outside", statement)).rejects.toThrow("permission denied");
  });

  test("the setting ends with its statement, with a failed one too", async () => {
    const route = await routeOf(own);
    const setting = "select coalesce(current_setting('tenantry.scope', true), '') as value";
    expect(await route.open().query("test.setting", setting)).toEqual([
      { value: expect.stringContaining(own.organization) },
    ]);
    await expect(route.open().query("test.fails", "select 1 / 0")).rejects.toThrow("division by zero");
    const seen = await Promise.all(
      Array.from({ length: 8 }, () => route.openUnscoped().query<{ value: string }>("test.setting", setting)),
    );
    expect(seen.flat().map(({ value }) => value)).toEqual(Array.from({ length: 8 }, () => ""));
  });

  test("statements of two organizations at the same time see their own", async () => {
    const routes = [await routeOf(own), await routeOf(other)];
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const route = routes[index % 2];
        const rows = await route?.open().query("test.names", "select organization_id as id from app.resources");
        expect(rows).toEqual([{ id: route?.organizationId }]);
      }),
    );
  });

  test("every table with an organization's rows has row-level security, and policies that name the scope", async () => {
    const tables = await sql(
      superuser(own.granted.database),
      `select format('%I.%I', c.relnamespace::regnamespace, c.relname) as table, c.relrowsecurity as enabled,
              c.relforcerowsecurity as forced,
              exists (select from pg_policy p where p.polrelid = c.oid
                      and pg_get_expr(p.polqual, p.polrelid) ~ 'scope_organization') as scoped
       from pg_class c
       where c.relnamespace in ('app'::regnamespace, 'tenantry'::regnamespace) and c.relkind in ('r', 'p')
         and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id')`,
    );
    expect(tables.map(({ table }) => String(table)).toSorted()).toEqual(expect.arrayContaining([...TABLES, AUDIT]));
    for (const table of tables) expect(table).toMatchObject({ enabled: true, forced: false, scoped: true });
  });
});

test("the API's role owns nothing, may make nothing, and gets into no other installation's database", async () => {
  const one = await tenant("Roles", "DEDICATED");
  const { name } = app.services.apiRole;
  const [role] = await sql(
    superuser("postgres"),
    `select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls as strong,
            (select count(*)::int from pg_auth_members m where m.member = r.oid) as memberships
     from pg_roles r where rolname = $1`,
    [name],
  );
  expect(role).toEqual({ strong: false, memberships: 0 });
  const owned = await sql(
    superuser(one.granted.database),
    "select from pg_class where relowner = (select oid from pg_roles where rolname = $1)",
    [name],
  );
  expect(owned).toEqual([]);

  const elsewhere = await startApp();
  try {
    await registerRegion(elsewhere, "eu", serverUrl("eu"));
    const granted = await grant(elsewhere, await createOrganization(elsewhere), "eu");
    const [server] = await sql<{ id: string }>(
      superuser("postgres"),
      "select system_identifier::text as id from pg_control_system()",
    );
    const address = app.services.apiRole.on(parseServerUrl(serverUrl("eu"), "url"), server?.id ?? "");
    const look = (database: string) =>
      app.services.pools.once(address, database, (connection) => connection.query("test.look", "select"));
    await look(one.granted.database);
    await expect(look(granted.database)).rejects.toThrow("permission denied for database");
  } finally {
    await elsewhere.stop();
  }
});

describe("a shared database", () => {
  const REVOKE = "mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }";
  const revoke = ({ granted }: Tenant, confirm: string) =>
    app.ask(REVOKE, { input: { placementId: granted.id, confirm, skipGrace: true } });
  const isGone = async ({ granted }: Tenant) =>
    (await sql(app.databaseUrl, "select from tenantry.placements where id = $1", [granted.id])).length === 0;

  test("is made once for all that ask at the same time, with one slot and publication each way", async () => {
    await registerRegion(app, "us", serverUrl("us"));
    const names = ["A", "B", "C", "D", "E", "F"];
    const organizations = await Promise.all(names.map((name) => createOrganization(app, name)));
    const granted = await Promise.all(organizations.map((id) => grant(app, id, "us", "SHARED")));
    expect(granted.map(({ state }) => state)).toEqual(names.map(() => "ACTIVE"));
    const [database, ...others] = new Set(granted.map((one) => one.database));
    expect(others).toEqual([]);
    const slots = await sql(
      `${serverUrl("us")}/postgres`,
      "select slot_name from pg_replication_slots where starts_with(slot_name, $1)",
      [`${database}_`],
    );
    expect(slots).toEqual([{ slot_name: `${database}_catalog` }]);
  });

  test("knows a new organization's members when the grant returns, and they find each other's comments only", async () => {
    const [ada, bob] = [await tenant("Ada", "SHARED"), await tenant("Bob", "SHARED")];
    const read = `query ($id: ID!) { resource(id: $id) {
      comments { edges { node { body author { name } } } } } }`;
    const { resource } = await app.ask(read, { id: ada.resource }, ada.user);
    expect(resource.comments.edges).toEqual([{ node: { body: "Ada was here", author: { name: "Ada" } } }]);
    expect(await app.refuse(read, { id: ada.resource }, bob.user)).toMatchObject({ code: "NOT_FOUND" });
    const list = "{ resources { edges { node { name organization { id } } } } }";
    const { resources } = await app.ask(list, {}, bob.user);
    expect(resources.edges).toEqual([{ node: { name: "Bob's", organization: { id: bob.organization } } }]);
  });

  test("keeps the others when one is revoked: its rows, members and catalog go, and nothing can be added", async () => {
    const [leaving, staying] = [await tenant("Leaving", "SHARED"), await tenant("Staying", "SHARED")];
    // A process that has not heard of the revocation keeps a route like this one.
    const stale = await routeOf(leaving);
    await revoke(leaving, "Leaving");
    expect(await eventually(() => isGone(leaving))).toBe(true);
    for (const table of [...TABLES, AUDIT]) {
      const rows = await sql(
        superuser(staying.granted.database),
        `select distinct organization_id from ${table} where organization_id = any($1)`,
        [[leaving.organization, staying.organization]],
      );
      expect(rows, table).toEqual([{ organization_id: staying.organization }]);
    }
    for (const schema of ["catalog", "tenantry_inbox"])
      expect(
        await sql(app.databaseUrl, `select organization_id from ${schema}.resources where organization_id = any($1)`, [
          [leaving.organization, staying.organization],
        ]),
        schema,
      ).toEqual([{ organization_id: staying.organization }]);
    await expect(
      stale.open().query(
        "test.insert",
        `insert into app.resources (database_id, id, organization_id, name)
         select database_id, gen_random_uuid(), $1, 'Late' from tenantry.identity`,
        [leaving.organization],
      ),
    ).rejects.toMatchObject({ code: "TNCLS" });
    await app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: staying.resource }, staying.user);
    const [receipt] = await sql<{ result: { tables: { table: string; rows: number }[] } }>(
      app.databaseUrl,
      "select result from tenantry.jobs where placement_id = $1 and kind = 'revoke-placement'",
      [leaving.granted.id],
    );
    expect(receipt?.result.tables.map(({ table, rows }) => [table, rows])).toEqual(TABLES.map((table) => [table, 1]));
    // The same organization can come back, and writes again.
    const again = await grant(app, leaving.organization, "eu", "SHARED");
    expect(again).toMatchObject({ state: "ACTIVE", database: staying.granted.database });
    await createResource(app, { name: "Again", organizationId: leaving.organization });
  });

  test("goes with the last placement in it, and the next grant makes another", async () => {
    const rows = await sql<{ id: string; name: string }>(
      app.databaseUrl,
      `select p.id, o.name from tenantry.placements p join tenantry.organizations o on o.id = p.organization_id
       join tenantry.regions r on r.id = p.region_id where r.key = 'us'`,
    );
    const [{ database }] = (await sql<{ database: string }>(
      app.databaseUrl,
      "select d.name as database from tenantry.tenant_databases d join tenantry.placements p on p.database_id = d.id where p.id = $1",
      [rows[0]?.id],
    )) as [{ database: string }];
    // All at once, so that each sees the others going.
    await Promise.all(
      rows.map(({ id, name }) => app.ask(REVOKE, { input: { placementId: id, confirm: name, skipGrace: true } })),
    );
    const left = () =>
      sql(app.databaseUrl, "select from tenantry.tenant_databases where name = $1", [database]).then(
        (all) => all.length,
      );
    expect(await eventually(async () => (await left()) === 0, 20_000)).toBe(true);
    expect(await sql(`${serverUrl("us")}/postgres`, "select from pg_database where datname = $1", [database])).toEqual(
      [],
    );
    const fresh = await grant(app, await createOrganization(app, "Fresh"), "us", "SHARED");
    expect(fresh.state).toBe("ACTIVE");
    expect(fresh.database).not.toBe(database);
  });

  test("is not mixed up with a database of one's own: the other isolation is CONFLICT", async () => {
    const organization = await createOrganization(app, "Mixed");
    await grant(app, organization, "eu", "SHARED");
    const query = "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id } }";
    const input = { organizationId: organization, regionKey: "eu", isolation: "DEDICATED" };
    expect(await app.refuse(query, { input })).toMatchObject({ code: "CONFLICT" });
  });
});

describe("at home", () => {
  let api: HomeDatabase;
  let own: Tenant;
  let other: Tenant;
  let everybodys: string;
  beforeAll(async () => {
    api = (await signInAsApi(app.services)).home;
    own = await tenant("Insider", "SHARED");
    other = await tenant("Outsider", "SHARED");
    everybodys = await createResource(app, { name: "Everybody's" });
    await comment(app, everybodys, own.user);
  });

  const as = (viewer: string) =>
    api.scoped({ setting: "tenantry.viewer", setter: "tenantry.sets_viewer", value: viewer });
  const catalog = async (database: Queryable<"home">) =>
    (await database.query<{ id: string }>("test.catalog", "select id from catalog.resources")).map(({ id }) => id);

  test("a statement for nobody sees nothing of the catalog and of the default organization's comments", async () => {
    expect(await catalog(api)).toEqual([]);
    for (const table of CONTENT) expect(await api.query("test.content", `select from ${table}`), table).toEqual([]);
  });

  test("a statement without WHERE sees what its user may see", async () => {
    expect(new Set(await catalog(as(own.user)))).toEqual(new Set([own.resource, everybodys]));
    expect(await catalog(as(randomUUID()))).toEqual([everybodys]);
    expect(await catalog(as("operator"))).toEqual(expect.arrayContaining([own.resource, other.resource, everybodys]));
  });

  test("who has left an organization sees nothing of it from the next statement on", async () => {
    const leaving = await createUser(app, "Leaver");
    await addMember(app, own.organization, leaving);
    expect(await catalog(as(leaving))).toContain(own.resource);
    const query =
      "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }";
    await app.ask(query, { input: { organizationId: own.organization, userId: leaving } });
    expect(await catalog(as(leaving))).toEqual([everybodys]);
  });

  test("the default organization's content has none of another's, and takes none", async () => {
    const organizations = await as(own.user).query("test.content", "select organization_id as id from app.resources");
    expect(organizations).toEqual([{ id: DEFAULT_ORGANIZATION_ID }]);
    await expect(
      as("operator").query("test.move", "update app.comments set organization_id = $1", [own.organization]),
    ).rejects.toThrow("row-level security");
    // The row of another placement has the same key in the catalog.
    const listed = () =>
      sql<{ database: number; name: string }>(
        app.databaseUrl,
        `select p.database_id as database, c.name
         from catalog.resources c join tenantry.placements p on p.number = c.placement_number where c.id = $1`,
        [other.resource],
      );
    const [theirs] = await listed();
    for (const [text, values] of [
      [
        "insert into app.resources (database_id, id, name) values ($1, $2, 'Taken')",
        [theirs?.database, other.resource],
      ],
      ["update app.resources set database_id = $1", [theirs?.database]],
    ] as const)
      await expect(as("operator").query("test.taken", text, values)).rejects.toThrow("this is not tenant database");
    expect(await listed()).toEqual([theirs]);
    for (const change of ["update app.comments set body = 'Changed'", "delete from app.comments"])
      expect(await api.query("test.nobody", `${change} returning id`)).toEqual([]);
  });

  test("the API writes no catalog row of an organization, changes no audit entry, and does not read the installation's secrets", async () => {
    await expect(
      as("operator").query(
        "test.insert",
        "insert into app.resources (database_id, id, organization_id, name) values (0, gen_random_uuid(), $1, 'Planted')",
        [own.organization],
      ),
    ).rejects.toThrow("row-level security");
    for (const change of [
      "insert into catalog.resources (placement_number, id, organization_id) values (1, gen_random_uuid(), gen_random_uuid())",
      "update catalog.resources set name = 'Planted'",
      "delete from catalog.resources",
      "insert into tenantry_inbox.resources (database_id, id) values (1, gen_random_uuid())",
      "select from tenantry_inbox.resources",
      "delete from tenantry.audit_log",
      "update tenantry.audit_outcomes set outcome = 'OK'",
    ])
      await expect(as("operator").query("test", change), change).rejects.toThrow("permission denied");
    await expect(api.query("test", "select from tenantry.installation")).rejects.toThrow("permission denied");
    await expect(api.query("test", "alter table app.resources disable row level security")).rejects.toThrow("owner");
  });

  test.each(OUTSIDE_ROW_SECURITY)("nothing can be kept beside the rows, by %s", async (statement) => {
    await expect(as("operator").query("test.outside", statement)).rejects.toThrow("permission denied");
  });

  test("every connection of the API is its own role's", async () => {
    await app.ask("query ($id: ID!) { resource(id: $id) { name comments { edges { node { body } } } } }", {
      id: own.resource,
    });
    const roles = await sql<{ database: string; role: string }>(
      superuser("postgres"),
      `select distinct usename as role, datname as database from pg_stat_activity
       where datname = $1 and application_name = 'tenantry tenant' and query like '%tenantry: resources.text %'`,
      [own.granted.database],
    );
    expect(roles).toEqual([{ database: own.granted.database, role: app.services.apiRole.name }]);
  });
});
