/**
 * What is done to all rows of a tenant costs its servers in proportion to the rows, however little memory they have and however
 * little they know of tables that were filled a moment ago. Each is done to some rows and to four times as many, and the blocks are
 * counted that its statements touched. A cost that is the square of the rows would be sixteen times as high.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findPlacementById, type Isolation, type Placement } from "../../src/engine/home/placements.ts";
import { tenantLinks } from "../../src/engine/links/tenant-links.ts";
import { grantRegionAccess } from "../../src/engine/placements/grant-region-access.ts";
import { revokeRegionAccess } from "../../src/engine/placements/revoke-region-access.ts";
import { seed } from "../../src/engine/replication/seed.ts";
import { SEED_BOUNDS } from "../../src/engine/replication/seed-rows.ts";
import { exportPlacement } from "../../src/engine/transfer/export-placement.ts";
import { importPlacement } from "../../src/engine/transfer/import-placement.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser, eventually, registerRegion } from "../support/journey.ts";
import { routedIdSql } from "../support/routed-id.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

const FEW = 4_000;
const MANY = 4 * FEW;
/** Several pieces of each kind. */
const CUT_ROWS = 6_000;
/**
 * Four times the rows, one more level of an index, and what the worker does beside it: 6 to 7 were seen. What is quadratic takes
 * sixteen times the blocks.
 */
const MOST = 8;

/** Many batches of a few rows. */
const SMALL = { ...SEED_BOUNDS, batchRows: 500 };

/** Little memory, and nothing that gathers figures about tables. */
const SETTINGS = {
  work_mem: "64kB",
  hash_mem_multiplier: "1",
  autovacuum: "off",
  shared_preload_libraries: "pg_stat_statements",
  "pg_stat_statements.track": "top",
};

let home: OwnServer;
let region: OwnServer;
let app: TestApp;

beforeAll(async () => {
  [home, region] = await Promise.all([startServer({ settings: SETTINGS }), startServer({ settings: SETTINGS })]);
  for (const server of [home, region]) await sql(server.url("postgres"), "create extension pg_stat_statements");
  app = await startApp({ homeServer: home.url() });
  await registerRegion(app, "own", region.url());
}, 60_000);
afterAll(async () => {
  await app.stop();
  await home[Symbol.asyncDispose]();
  await region[Symbol.asyncDispose]();
});

/** The blocks that both servers' statements touched meanwhile, of tables, indexes and files of their own. */
async function blocksOf(work: () => Promise<void>): Promise<number> {
  for (const server of [home, region])
    await sql(server.url("postgres"), "select from (select pg_stat_statements_reset()) as reset");
  await work();
  const counted = [home, region].map(async (server) => {
    const [row] = await sql<{ blocks: string }>(
      server.url("postgres"),
      `select sum(shared_blks_hit + shared_blks_read + local_blks_hit + local_blks_read + temp_blks_read + temp_blks_written)::text
         as blocks from pg_stat_statements where query not like '%pg_stat_statements%'`,
    );
    return Number(row?.blocks ?? 0);
  });
  return (await Promise.all(counted)).reduce((sum, blocks) => sum + blocks, 0);
}

/** An organization with so many members. */
async function makeOrganization(members: number): Promise<string> {
  const id = await createOrganization(app, "Large");
  await sql(
    app.databaseUrl,
    `with person as (
       insert into tenantry.users (id, name, email)
       select gen_random_uuid(), 'Person ' || i, $1 || '-' || i || '@example.com' from generate_series(1, $2) i returning id
     ) insert into tenantry.memberships (organization_id, user_id, role) select $1::uuid, id, 'MEMBER' from person`,
    [id, members],
  );
  return id;
}

async function grant(organizationId: string, isolation: Isolation): Promise<Placement> {
  const { id } = await grantRegionAccess(app.services, OPERATOR, { organizationId, regionKey: "own", isolation });
  const placement = await eventually(async () => {
    const now = await findPlacementById(app.services, id);
    return now?.state === "ACTIVE" ? now : undefined;
  }, 60_000);
  if (placement === undefined) throw new Error("the placement is not ACTIVE");
  return placement;
}

async function revoke(placement: Placement): Promise<void> {
  const confirm = "Large";
  await revokeRegionAccess(app.services, OPERATOR, {
    placementId: placement.id,
    confirm,
    skipGrace: true,
    exportFirst: false,
  });
  const isGone = async () => (await findPlacementById(app.services, placement.id)) === undefined;
  expect(await eventually(isGone, 60_000)).toBe(true);
}

/** Rows in the region, and their copies at home. */
async function fill(placement: Placement, rows: number): Promise<void> {
  const { databaseId, organizationId, number, database } = placement;
  await sql(
    region.url(database),
    `insert into app.resources (database_id, id, organization_id, name)
     select $1, ${routedIdSql(number)}, $2, 'Name ' || i from generate_series(1, $3::int) i`,
    [databaseId, organizationId, rows],
  );
  const links = [{ databaseId, direction: "catalog" as const }];
  expect(await eventually(async () => (await app.services.nudges.carry(links, 2_000)).length === 0, 60_000)).toBe(true);
  expect(await catalogRows(placement)).toBe(rows);
}

async function catalogRows({ number, organizationId }: Placement): Promise<number> {
  const [row] = await sql<{ n: number }>(
    app.databaseUrl,
    "select count(*)::int as n from catalog.resources where placement_number = $1 and organization_id = $2",
    [number, organizationId],
  );
  return row?.n ?? 0;
}

/** What one size costs, step by step. */
async function measureDedicated(rows: number): Promise<Record<string, number>> {
  const costs: Record<string, number> = {};
  const organization = await makeOrganization(rows);
  let placed: Placement | undefined;
  costs["the grant"] = await blocksOf(async () => void (placed = await grant(organization, "DEDICATED")));
  if (placed === undefined) throw new Error("no placement");
  const placement = placed;
  const tenant = region.url(placement.database);
  expect(await sql(tenant, "select count(*)::int as n from tenantry.directory_members")).toEqual([{ n: rows }]);
  await fill(placement, rows);
  const { catalog, directory } = await tenantLinks(app.services, placement);
  costs["a seed of equal rows at home"] = await blocksOf(() => seed(catalog, SMALL));
  costs["a seed of equal rows in the region"] = await blocksOf(() => seed(directory, SMALL));
  await sql(app.databaseUrl, "delete from catalog.resources where placement_number = $1", [placement.number]);
  await sql(tenant, "delete from tenantry.directory_members");
  costs["a seed of missing rows at home"] = await blocksOf(() => seed(catalog, SMALL));
  costs["a seed of missing rows in the region"] = await blocksOf(() => seed(directory, SMALL));
  expect(await catalogRows(placement)).toBe(rows);
  expect(await sql(tenant, "select count(*)::int as n from tenantry.directory_members")).toEqual([{ n: rows }]);
  const folder = temporaryFolder();
  costs["an export"] = await blocksOf(async () => void (await exportPlacement(app.services, placement, folder)));
  costs["an import of rows that are there"] = await blocksOf(
    async () => void (await importPlacement(app.services, placement, folder)),
  );
  costs["a revocation"] = await blocksOf(() => revoke(placement));
  expect(await catalogRows(placement)).toBe(0);
  return costs;
}

/** The same where others are in the database too. */
async function measureShared(rows: number): Promise<Record<string, number>> {
  const costs: Record<string, number> = {};
  const organization = await makeOrganization(rows);
  let placed: Placement | undefined;
  costs["the grant"] = await blocksOf(async () => void (placed = await grant(organization, "SHARED")));
  if (placed === undefined) throw new Error("no placement");
  const placement = placed;
  await fill(placement, rows);
  costs["a revocation"] = await blocksOf(() => revoke(placement));
  expect(await catalogRows(placement)).toBe(0);
  expect(
    await sql(
      region.url(placement.database),
      `select from app.resources where organization_id = $1
       union all select from tenantry.directory_members where organization_id = $1`,
      [organization],
    ),
  ).toEqual([]);
  return costs;
}

const growth = (few: Record<string, number>, many: Record<string, number>) =>
  Object.entries(few)
    .map(([what, blocks]) => ({ what, few: blocks, many: many[what] ?? 0, times: (many[what] ?? 0) / blocks }))
    .filter(({ times }) => times > MOST);

describe("four times the rows take about four times the blocks", () => {
  test("in a database of one organization", async () => {
    const few = await measureDedicated(FEW);
    expect(growth(few, await measureDedicated(MANY))).toEqual([]);
  }, 240_000);

  test("in a database that others share", async () => {
    await grant(await createOrganization(app, "Beside"), "SHARED");
    const few = await measureShared(FEW);
    expect(growth(few, await measureShared(MANY))).toEqual([]);
  }, 240_000);
});

describe("a page takes as many blocks however many rows there are", () => {
  const LIST = "{ resources(first: 50) { edges { node { id } } } }";
  const FOUND = '{ resources(namePrefix: "nAME 1", first: 50) { edges { node { id } } } }';
  const NAMED = "{ resources(orderBy: { field: NAME, direction: DESC }, first: 50) { edges { node { id } } } }";
  const CHANGED = '{ resources(orderBy: { field: UPDATED }, regionKey: "own", last: 50) { edges { node { id } } } }';
  const OWN = `query ($id: ID!) { organization(id: $id) {
    resources(orderBy: { field: UPDATED, direction: DESC }, first: 50) { edges { node { id } } } } }`;
  const USERS = "{ users(first: 50) { edges { node { id } } } }";
  const MEMBERS = "query ($id: ID!) { organization(id: $id) { members(first: 50) { edges { node { role } } } } }";

  async function pagesOf(rows: number): Promise<Record<string, number>> {
    const organization = await makeOrganization(rows);
    const [large, small] = [await createUser(app, "Large"), await createUser(app, "Small")];
    const beside = await createOrganization(app, "Beside");
    await addMember(app, organization, large);
    await addMember(app, beside, small);
    const placement = await grant(organization, "DEDICATED");
    await fill(placement, rows);
    const costs: Record<string, number> = {};
    const ask = (query: string, as: string, id?: string) =>
      blocksOf(async () => void (await app.ask(query, { id }, as === "" ? undefined : as)));
    costs["the rows of a large organization"] = await ask(LIST, large);
    costs["the rows of who is beside it"] = await ask(LIST, small);
    for (const [what, query] of Object.entries({ FOUND, NAMED, CHANGED, OWN })) {
      costs[`the rows of a large organization, ${what}`] = await ask(query, large, organization);
      costs[`the rows of who is beside it, ${what}`] = await ask(query, small, beside);
      costs[`what the operator sees, ${what}`] = await ask(query, "", organization);
    }
    costs["the people whom one of a large organization knows"] = await ask(USERS, large);
    costs["the people whom one beside it knows"] = await ask(USERS, small);
    costs["the members of a large organization"] = await ask(MEMBERS, large, organization);
    costs["the members of the one beside it"] = await ask(MEMBERS, small, beside);
    await revoke(placement);
    return costs;
  }

  test("for members, and for those of another organization", async () => {
    await pagesOf(1);
    const few = await pagesOf(FEW);
    const many = await pagesOf(MANY);
    expect(
      Object.entries(few)
        .map(([what, blocks]) => ({ what, few: blocks, many: many[what] ?? 0 }))
        // What a few statements of the worker take, and one more level of an index for each row of a page.
        .filter((one) => one.many > 1.5 * one.few + 500),
    ).toEqual([]);
  }, 240_000);
});

describe("cut off in the middle, it goes on and ends right", () => {
  /** Ends the session that does this to the table for the n-th time from now on; each statement is one. */
  async function cutAt(url: string, table: string, what: "insert" | "delete", n: number): Promise<void> {
    for (const text of [
      "create sequence if not exists public.cut_count",
      `create or replace function public.cut() returns trigger language plpgsql as $$ begin
         if nextval('public.cut_count') = ${n} then perform pg_terminate_backend(pg_backend_pid()); end if;
         return null; end $$`,
      "select setval('public.cut_count', 1, false)",
      `create or replace trigger cut after ${what} on ${table} for each statement execute function public.cut()`,
    ])
      await sql(url, text);
  }
  /** Throws unless the session was ended. */
  async function mend(url: string, table: string, n: number): Promise<void> {
    const [row] = await sql<{ counted: number }>(url, "select last_value::int as counted from public.cut_count");
    expect(row?.counted).toBeGreaterThanOrEqual(n);
    await sql(url, `drop trigger cut on ${table}`);
  }

  test("a grant, a seed and a revocation", async () => {
    const organization = await makeOrganization(CUT_ROWS);
    await cutAt(app.databaseUrl, "tenantry.directory_members", "insert", 3);
    const placement = await grant(organization, "DEDICATED");
    await mend(app.databaseUrl, "tenantry.directory_members", 3);
    const members = await sql(
      region.url(placement.database),
      "select count(*)::int as n from tenantry.directory_members",
    );
    expect(members).toEqual([{ n: CUT_ROWS }]);

    await fill(placement, 2 * CUT_ROWS);
    const { catalog } = await tenantLinks(app.services, placement);
    await sql(app.databaseUrl, "delete from catalog.resources where placement_number = $1", [placement.number]);
    await cutAt(app.databaseUrl, "tenantry_inbox.resources", "insert", 2);
    await expect(seed(catalog)).rejects.toThrow(/terminat/i);
    await mend(app.databaseUrl, "tenantry_inbox.resources", 2);
    expect(await catalogRows(placement)).toBe(SEED_BOUNDS.batchRows);
    await seed(catalog);
    expect(await catalogRows(placement)).toBe(2 * CUT_ROWS);

    await cutAt(app.databaseUrl, "tenantry_inbox.resources", "delete", 2);
    await revoke(placement);
    await mend(app.databaseUrl, "tenantry_inbox.resources", 2);
    expect(await catalogRows(placement)).toBe(0);
    expect(
      await sql(app.databaseUrl, "select from tenantry.directory_members where organization_id = $1", [organization]),
    ).toEqual([]);
  }, 120_000);

  test("a revocation in a database that others share", async () => {
    const beside = await createOrganization(app, "Beside");
    await grant(beside, "SHARED");
    const placement = await grant(await makeOrganization(CUT_ROWS), "SHARED");
    await fill(placement, CUT_ROWS);
    const tenant = region.url(placement.database);
    await cutAt(tenant, "app.resources", "delete", 7);
    await cutAt(app.databaseUrl, "tenantry.directory_members", "delete", 2);
    await revoke(placement);
    await mend(tenant, "app.resources", 7);
    await mend(app.databaseUrl, "tenantry.directory_members", 2);
    expect(await catalogRows(placement)).toBe(0);
    const left =
      "select from app.resources where organization_id = $1 union all select from tenantry.directory_members where organization_id = $1";
    expect(await sql(tenant, left, [placement.organizationId])).toEqual([]);
  }, 120_000);
});
