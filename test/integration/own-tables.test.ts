/** The engine on a second app's tables (examples/invoices): it knows none of them by name. */
import { join } from "node:path";
import { readFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { protectHome } from "../../src/engine/migrations/protect-home.ts";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { DEFAULT_ORGANIZATION_ID, placementNumberOf } from "../../src/base/kernel/ids.ts";
import type { MigrationSet } from "../../src/engine/migrations/migration-set.ts";
import { runExport } from "../../src/engine/transfer/export-placement.ts";
import { runImport } from "../../src/engine/transfer/import-placement.ts";
import { homeFor } from "../../src/engine/routing/location.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { migrateFleet } from "../../src/engine/fleet/migrate-databases.ts";
import { waitUntilInCatalog } from "../../src/engine/links/visible-writes.ts";
import { signInAsApi } from "../../src/services.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { openServices } from "../support/fleet.ts";
import { invoicesWith } from "../support/invoices.ts";
import { createOrganization, eventually, grant, type Granted, registerRegion } from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

const INVOICES = invoicesWith();
let app: TestApp;

beforeAll(async () => {
  app = await startApp({ tenantSchema: INVOICES });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

type Placed = Granted & { organization: string; url: string };

/** Grants, and waits until the job has let go of the placement. */
async function place(name: string, isolation: "DEDICATED" | "SHARED", of?: string): Promise<Placed> {
  const organization = of ?? (await createOrganization(app, name));
  const placement = await grant(app, organization, "eu", isolation);
  expect(placement.state).toBe("ACTIVE");
  const busy = () =>
    sql(app.databaseUrl, "select from tenantry.jobs where placement_id = $1 and state in ('WAITING', 'RUNNING')", [
      placement.id,
    ]);
  await eventually(async () => (await busy()).length === 0);
  return { ...placement, organization, url: `${serverUrl("eu")}/${placement.database}` };
}

/** The organization's rows as the API's role sees them, in a statement that names nobody. */
async function scoped(organization: string) {
  const [route] = await app.services.router.routesOf(organization);
  if (route === undefined) throw new Error("the organization has no placement");
  return { route, database: route.open() };
}

/** An invoice with a line and an attachment, by statements that say neither id nor organization. */
async function addInvoice(organization: string, number: string): Promise<string> {
  const { route, database } = await scoped(organization);
  const [row] = await database.query<{ id: string }>(
    "test.invoice",
    `with invoice as (insert into app.invoices (number, total_cents) values ($1, 100) returning id),
       line as (insert into app.lines (invoice_id, text, cents) select id, 'A line', 100 from invoice),
       attachment as (insert into app.attachments (invoice_id, name, content) select id, 'scan.pdf', '\\x00ff' from invoice)
     select id from invoice`,
    [number],
  );
  if (row === undefined) throw new Error("the insert returned no row");
  expect(await waitUntilInCatalog(app.services, route.databaseId)).toEqual([]);
  return row.id;
}

const inCatalog = (organization: string) =>
  sql<{ id: string; number: string }>(
    app.databaseUrl,
    "select id, number from catalog.invoices where organization_id = $1 order by number",
    [organization],
  );
const numbersOf = async (organization: string) => (await inCatalog(organization)).map(({ number }) => number);
const countIn = async (url: string, table: string, organization: string) =>
  (await sql(url, `select from app.${table} where organization_id = $1`, [organization])).length;

describe.each(["DEDICATED", "SHARED"] as const)("%s", (isolation) => {
  let mine: Placed;
  let other: Placed;
  beforeAll(async () => {
    mine = await place(`Mine ${isolation}`, isolation);
    other = await place(`Other ${isolation}`, isolation);
  });

  test("a row has an id that leads to its placement, and what flows is in the catalog", async () => {
    const id = await addInvoice(mine.organization, "A-1");
    const { route } = await scoped(mine.organization);
    expect(placementNumberOf(id)).toBe(route.placementNumber);
    expect(await inCatalog(mine.organization)).toEqual([{ id, number: "A-1" }]);
    expect(await sql(app.databaseUrl, "select to_regclass('catalog.lines') as lines")).toEqual([{ lines: null }]);
  });

  test("a statement sees its organization's rows, and writes no other's", async () => {
    await addInvoice(mine.organization, "A-2");
    await addInvoice(other.organization, "B-1");
    const { database } = await scoped(other.organization);
    for (const table of ["invoices", "lines", "attachments"]) {
      const rows = await database.query<{ id: string }>("test.all", `select organization_id as id from app.${table}`);
      expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([other.organization]));
    }
    const insert = "insert into app.invoices (number, organization_id) values ('C-1', $1)";
    await expect(database.query("test.theirs", insert, [mine.organization])).rejects.toThrow("row-level security");
    expect(await database.query("test.update", "update app.invoices set total_cents = 0 returning id")).toHaveLength(1);
    expect(await database.query("test.delete", "delete from app.attachments returning id")).toHaveLength(1);
    expect(await countIn(mine.url, "attachments", mine.organization)).toBe(2);
  });

  test("an export has every declared table, and a revocation and an import bring all of it back", async () => {
    await using services = await openServices(app, INVOICES);
    const folder = join(temporaryFolder(), "export");
    const kept = await place(`Kept ${isolation}`, isolation);
    const ids = [await addInvoice(kept.organization, "K-1"), await addInvoice(kept.organization, "K-2")];
    await runExport(services, OPERATOR, kept.id, folder);
    const rows = (file: string) => readFileSync(join(folder, file), "utf8").trim().split("\n");
    expect([rows("app.invoices.ndjson").length, rows("app.lines.ndjson").length]).toEqual([2, 2]);
    expect(rows("app.attachments.ndjson").map((line) => JSON.parse(line).content)).toEqual(["\\x00ff", "\\x00ff"]);

    await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { id } }", {
      input: { placementId: kept.id, confirm: `Kept ${isolation}`, skipGrace: true },
    });
    const gone = async () =>
      (await sql(app.databaseUrl, "select from tenantry.placements where id = $1", [kept.id])).length === 0;
    expect(await eventually(gone, 20_000)).toBe(true);
    expect(await inCatalog(kept.organization)).toEqual([]);
    const left = async (table: string) => (isolation === "SHARED" ? countIn(kept.url, table, kept.organization) : 0);
    expect(await Promise.all(["invoices", "lines", "attachments"].map(left))).toEqual([0, 0, 0]);

    const again = await place(`Kept ${isolation}`, isolation, kept.organization);
    const imported = await runImport(services, OPERATOR, again.id, folder);
    expect(imported).toMatchObject({
      tables: {
        "app.invoices": { rows: 2, added: 2 },
        "app.lines": { rows: 2, added: 2 },
        "app.attachments": { rows: 2, added: 2 },
      },
      inCatalog: true,
    });
    expect((await inCatalog(kept.organization)).map(({ id }) => id)).toEqual(ids);
  });
});

test("trees, json and columns of any name come back from a shared database as they were", async () => {
  const TREE = `create table app.nodes (
      id uuid primary key default tenantry.new_id(),
      organization_id uuid not null default tenantry.organization(),
      parent uuid, r text, x app.invoices, t json, unique (organization_id, id),
      foreign key (organization_id, parent) references app.nodes (organization_id, id)
    );
    select tenantry.tenant_table('app.nodes');`;
  const schema = invoicesWith(TREE);
  const forest = await startApp({ tenantSchema: schema });
  try {
    await registerRegion(forest, "eu", serverUrl("eu"));
    await using services = await openServices(forest, schema);
    const organization = await createOrganization(forest, "Forest");
    const placed = () => grant(forest, organization, "eu", "SHARED");
    const placement = await placed();
    // Somebody stays in the database, so that rows are deleted and not the database.
    await grant(forest, await createOrganization(forest, "Stays"), "eu", "SHARED");
    const database = async () => (await forest.services.router.routesOf(organization))[0]?.open();
    // A root, which its first child refers to, and more rows than are deleted in one piece. One has an id of its own making.
    await (await database())?.query(
      "test.tree",
      `with root as (insert into app.nodes (r) values ('root') returning id)
       insert into app.nodes (parent, r, t) select id, 'child ' || n, E'{"a":\n [1,\n 2]}' from root, generate_series(1, 500) n`,
    );
    await (await database())?.query("test.own", "insert into app.nodes (id, r) values (gen_random_uuid(), 'own id')");
    const read = async () =>
      (await database())?.query(
        "test.read",
        "select id, parent, r, (t ->> 'a')::json ->> 1 as second from app.nodes order by r, id",
      );
    const before = await read();
    expect(before).toHaveLength(502);
    const folder = join(temporaryFolder(), "tree");
    await runExport(services, OPERATOR, placement.id, folder);
    await forest.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { id } }", {
      input: { placementId: placement.id, confirm: "Forest", skipGrace: true },
    });
    const gone = async () =>
      (await sql(forest.databaseUrl, "select from tenantry.placements where id = $1", [placement.id])).length === 0;
    expect(await eventually(gone, 20_000)).toBe(true);
    const url = `${serverUrl("eu")}/${placement.database}`;
    expect(await sql(url, "select from app.nodes")).toEqual([]);
    const again = await placed();
    await runImport(services, OPERATOR, again.id, folder);
    expect(await read()).toEqual(before);
  } finally {
    await forest.stop();
  }
});

test("home keeps the default organization's rows in the same tables, and they are in the catalog at once", async () => {
  await using services = await openServices(app, INVOICES);
  const api = await signInAsApi(services);
  const home = homeFor(api, OPERATOR);
  const [added] = await home.query<{ id: string }>(
    "test.home",
    "insert into app.invoices (number) values ('H-1') returning id",
  );
  expect(placementNumberOf(added?.id ?? "")).toBe(0);
  expect(await numbersOf(DEFAULT_ORGANIZATION_ID)).toEqual(["H-1"]);
  await home.query("test.home", "update app.invoices set number = 'H-2'");
  expect(await numbersOf(DEFAULT_ORGANIZATION_ID)).toEqual(["H-2"]);
  await home.query("test.home", "delete from app.invoices");
  expect(await numbersOf(DEFAULT_ORGANIZATION_ID)).toEqual([]);
  // Nobody was named.
  await expect(api.home.query("test.home", "insert into app.invoices (number) values ('H-3')")).rejects.toThrow(
    "in the scope of an organization",
  );
});

test("home's own rows are in the catalog of a table or a column that flows from now on", async () => {
  const first = await startApp({ role: "api", tenantSchema: INVOICES });
  const { databaseUrl, secretKey } = first;
  await sql(
    databaseUrl,
    `set tenantry.viewer = 'operator';
     with invoice as (insert into app.invoices (number, total_cents) values ('H-1', 100) returning id)
       insert into app.lines (invoice_id, text, cents) select id, 'A line', 100 from invoice`,
  );
  await first.stop();
  const listing = `select tenantry.catalog('app.lines', '{text}');
    select tenantry.catalog('app.invoices', '{number,total_cents}');`;
  const second = await startApp({ databaseUrl, secretKey, role: "api", tenantSchema: invoicesWith(listing) });
  try {
    expect(
      await sql(
        databaseUrl,
        "select l.placement_number, l.text, i.total_cents from catalog.lines l join app.lines o using (id) join catalog.invoices i on i.id = o.invoice_id",
      ),
    ).toEqual([{ placement_number: 0, text: "A line", total_cents: 100 }]);
  } finally {
    await second.stop();
  }
});

test("a row that breaks the table's own rules is not in the catalog, and says why", async () => {
  const mine = await place("Rules", "DEDICATED");
  await addInvoice(mine.organization, "R-1");
  await sql(mine.url, "alter table app.invoices drop constraint invoices_number_check");
  await sql(mine.url, "update app.invoices set number = 'not a number'");
  const { route } = await scoped(mine.organization);
  await waitUntilInCatalog(app.services, route.databaseId);
  const refused = () =>
    sql<{ fault: string }>(app.databaseUrl, "select fault from tenantry_inbox.invoices where fault is not null");
  expect(await refused()).toEqual([{ fault: "it breaks the rule invoices_number_check" }]);
  expect(await inCatalog(mine.organization)).toEqual([]);
});

test("an export refuses a database with a table that nobody has declared", async () => {
  await using services = await openServices(app, INVOICES);
  const mine = await place("Stray", "DEDICATED");
  await sql(mine.url, "create table app.by_hand (id uuid primary key)");
  const folder = join(temporaryFolder(), "stray");
  await expect(runExport(services, OPERATOR, mine.id, folder)).rejects.toThrow(
    "app.by_hand, which no migration has declared",
  );
});

test("a column that flows is added and removed over a fleet", async () => {
  let fleet = await startApp({ tenantSchema: INVOICES });
  const restartedWith = async (tenantSchema: MigrationSet) => {
    const { databaseUrl, secretKey } = fleet;
    await fleet.stop();
    fleet = await startApp({ databaseUrl, secretKey, tenantSchema });
    await using services = await openServices(fleet, tenantSchema);
    expect(await migrateFleet(services, "operator")).toMatchObject({ migrated: 1, failed: [] });
    expect(await findDrift(services)).toEqual([]);
  };
  try {
    await registerRegion(fleet, "eu", serverUrl("eu"));
    const organization = await createOrganization(fleet, "Fleet");
    const { database } = await grant(fleet, organization, "eu");
    const tenant = `${serverUrl("eu")}/${database}`;
    const add = async (number: string) => {
      const [route] = await fleet.services.router.routesOf(organization);
      await route?.open().query("test.row", "insert into app.invoices (number) values ($1)", [number]);
      await waitUntilInCatalog(fleet.services, route?.databaseId ?? 0);
    };
    const catalog = async () => {
      const rows = await sql<{ row: object }>(
        fleet.databaseUrl,
        `select to_jsonb(i) - '{placement_number,id,organization_id}'::text[] as row from catalog.invoices i order by number`,
      );
      return rows.map(({ row }) => row);
    };
    const shows = (...rows: object[]) => expect.poll(catalog, { timeout: 10_000 }).toEqual(rows);
    const added = `alter table app.invoices add column due date not null default '2030-01-01';
      select tenantry.catalog('app.invoices', '{number,due}');`;
    const removed = `select tenantry.catalog('app.invoices', '{number}'); alter table app.invoices drop column due;`;
    await add("F-1");
    await shows({ number: "F-1" });
    await restartedWith(invoicesWith(added));
    await sql(tenant, "update app.invoices set due = '2031-02-03'");
    await add("F-2");
    await shows({ number: "F-1", due: "2031-02-03" }, { number: "F-2", due: "2030-01-01" });
    // Home keeps what databases of the version before may send, and lets it go one version later.
    await restartedWith(invoicesWith(added, removed));
    await add("F-3");
    await shows(
      { number: "F-1", due: "2031-02-03" },
      { number: "F-2", due: "2030-01-01" },
      { number: "F-3", due: null },
    );
    await restartedWith(invoicesWith(added, removed, "select 1"));
    await shows({ number: "F-1" }, { number: "F-2" }, { number: "F-3" });
  } finally {
    await fleet.stop();
  }
});

describe("a migration is refused that makes a table", () => {
  const table = (columns: string) => `create table app.wrong (${columns});`;
  const KEYS = "id uuid primary key, organization_id uuid not null";
  const declared = "select tenantry.tenant_table('app.wrong');";
  test.each([
    ["without a declaration", table(KEYS), "The table app.wrong was not declared"],
    [
      "without an organization",
      `${table("id uuid primary key")} ${declared}`,
      "no column organization_id uuid not null",
    ],
    ["without an id", `${table("organization_id uuid not null")} ${declared}`, "no column id uuid not null"],
    [
      "without a key",
      `${table("id uuid not null, organization_id uuid not null")} ${declared}`,
      "no primary key of id",
    ],
    [
      "with a key of more",
      `${table("id uuid, organization_id uuid not null, at date, primary key (id, at)")} ${declared}`,
      "no primary key of id",
    ],
    [
      "with an identity column",
      `${table(`${KEYS}, n int generated always as identity`)} ${declared}`,
      "is an identity column",
    ],
    [
      "that refers to a row of anybody's",
      `${table(`${KEYS}, invoice uuid references app.invoices`)} ${declared}`,
      "put organization_id into the foreign key",
    ],
    [
      "with a name that is not plain",
      `create table app."Wrong" (${KEYS}); select tenantry.tenant_table('app."Wrong"');`,
      "lower case",
    ],
    [
      "in another schema",
      `create table public.wrong (${KEYS}); select tenantry.tenant_table('public.wrong');`,
      "not an ordinary table of schema app",
    ],
    [
      "that refers to a table of another schema",
      `create table public.stray (id uuid primary key); ${table(`${KEYS}, x uuid references public.stray`)} ${declared}`,
      "which no call of tenantry.tenant_table declares",
    ],
    [
      "whose name is a word of SQL",
      `create table app."order" (${KEYS}); select tenantry.tenant_table('app."order"');`,
      "no word of SQL",
    ],
    [
      "that inherits from another one",
      `create table app.wrong (primary key (id)) inherits (app.lines); ${declared}`,
      "shares rows with another table",
    ],
    [
      "with a key that is deferrable",
      `${table(`${KEYS}, place int, unique (organization_id, place) deferrable`)} ${declared}`,
      "has the deferrable key wrong_organization_id_place_key",
    ],
    [
      "that refers to its parent, which refers to it",
      `alter table app.lines add unique (organization_id, id);
       alter table app.invoices add column last_line uuid,
         add foreign key (organization_id, last_line) references app.lines (organization_id, id)`,
      "refer to each other in a circle",
    ],
    [
      "without row-level security",
      `${table(KEYS)} ${declared} alter table app.wrong disable row level security`,
      "The table app.wrong does not keep organizations apart",
    ],
    [
      "that everybody may read",
      `${table(KEYS)} ${declared} create policy open on app.wrong for select using (true)`,
      "The table app.wrong does not keep organizations apart",
    ],
    [
      "that a view shows to all",
      "create view app.all_invoices as select * from app.invoices",
      "(security_invoker = true)",
    ],
    [
      "that is copied for all",
      "create materialized view app.all_invoices as select * from app.invoices",
      "The materialized view app.all_invoices keeps every organization's rows",
    ],
    [
      "that a function reads for all",
      "create function app.all_invoices() returns bigint language sql security definer return (select count(*) from app.invoices)",
      "The function app.all_invoices() works with its owner's rights",
    ],
    [
      "whose catalog has a column that home needs",
      `${table(`${KEYS}, fault text`)} ${declared} select tenantry.catalog('app.wrong', '{fault}');`,
      "home uses the name",
    ],
    [
      "whose catalog has another column that home needs",
      `${table(`${KEYS}, placement_number text`)} ${declared} select tenantry.catalog('app.wrong', '{placement_number}');`,
      "home uses the name",
    ],
    [
      "whose catalog has a column that puts another in order",
      `${table(`${KEYS}, order_by_name text`)} ${declared} select tenantry.catalog('app.wrong', '{order_by_name}');`,
      "list a column with another name",
    ],
    [
      "that comes in the order of a number",
      `${table(`${KEYS}, cents int`)} ${declared} select tenantry.catalog('app.wrong', '{cents}');
       select tenantry.catalog_orders('app.wrong', '{cents}');`,
      "cannot be ordered by",
    ],
    [
      "that comes in the order of a column that is not listed",
      `${table(`${KEYS}, name text`)} ${declared} select tenantry.catalog_orders('app.wrong', '{name}');`,
      "cannot be ordered by",
    ],
    ["that is gone again", `${table(KEYS)} ${declared} drop table app.wrong;`, "is declared and is not there"],
    [
      "whose catalog has no such column",
      `${table(KEYS)} ${declared} select tenantry.catalog('app.wrong', '{name}');`,
      "cannot be listed",
    ],
    [
      "whose catalog comes before it is declared",
      `${table(`${KEYS}, name text`)} select tenantry.catalog('app.wrong', '{name}');`,
      "was not declared",
    ],
    [
      "that is about nobody known",
      `${table(KEYS)} ${declared} select tenantry.personal('app.wrong', 'id', 'thing');`,
      "is not one of user, name, email, text",
    ],
  ])("%s", async (_, text, sentence) => {
    await expect(startApp({ role: "api", tenantSchema: invoicesWith(text) })).rejects.toThrow(sentence);
  });
});

test("views, functions and policies that keep organizations apart are taken", async () => {
  const fine = `create view app.numbers with (security_invoker = true) as select number from app.invoices;
    create function app.touch() returns trigger language plpgsql security definer as 'begin return new; end';
    create function app.count_all() returns bigint language sql security definer return (select count(*) from app.invoices);
    revoke execute on function app.count_all() from public;
    create policy not_negative on app.invoices as restrictive using (total_cents >= 0)`;
  const started = await startApp({ role: "api", tenantSchema: invoicesWith(fine) });
  await started.stop();
});

test("a start changes nothing of guards that are right, so it waits for nobody who writes", async () => {
  const { home, tables } = app.services;
  const read = () =>
    sql(
      app.databaseUrl,
      `select 'function ' || proname as name, xmin::text from pg_proc where pronamespace = 'catalog'::regnamespace
       union all
       select 'trigger ' || tgname, xmin::text from pg_trigger where tgname in ('guard_catalog', 'copy_to_catalog') order by 1`,
    );
  const before = await read();
  expect(before).toHaveLength(4);
  const writer = new pg.Client({ connectionString: app.databaseUrl });
  await writer.connect();
  try {
    await writer.query("begin; lock table app.invoices, tenantry_inbox.invoices in row exclusive mode");
    await protectHome(home, tables.served());
    expect(await read()).toEqual(before);
  } finally {
    await writer.end();
  }
  await sql(app.databaseUrl, "alter table tenantry_inbox.invoices disable trigger guard_catalog");
  await protectHome(home, tables.served());
  expect(await sql(app.databaseUrl, "select tgenabled as on from pg_trigger where tgname = 'guard_catalog'")).toEqual([
    { on: "A" },
  ]);
});
