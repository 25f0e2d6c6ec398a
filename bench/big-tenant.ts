/**
 * One organization with very many rows and members, beside a small one whose callers must not notice. Measures what is done to
 * all of its rows: carried, compared and copied anew, granted another region, listed, renamed, revoked.
 * `--resources=1000000`, `--members=500000`, `--no-fsync`; `--only=directory,catalog,shared` chooses parts.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TENANT_SCHEMA } from "../src/app/schema.ts";
import { newId } from "../src/base/kernel/ids.ts";
import { delay } from "../src/base/kernel/wait.ts";
import { createLogger } from "../src/base/observability/logger.ts";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createApiKey } from "../src/engine/auth/api-keys.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import type { Isolation, Placement } from "../src/engine/home/placements.ts";
import { findPlacementById } from "../src/engine/home/placements.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import { revokeRegionAccess } from "../src/engine/placements/revoke-region-access.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import type { Direction } from "../src/engine/replication/names.ts";
import type { Services } from "../src/engine/services.ts";
import { closeServices, createServices } from "../src/services.ts";
import { type ApiProcess, startApiProcess } from "./api-process.ts";
import { ask, Neighbour } from "./neighbour.ts";
import { report } from "./part.ts";
import { type BenchServer, type BenchServers, sql, startServers } from "./servers.ts";
import { percentile } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";

const PARTS = ["directory", "catalog", "shared"];
const { values: flags } = parseArgs({
  options: {
    resources: { type: "string", default: "1000000" },
    members: { type: "string", default: "500000" },
    only: { type: "string", default: PARTS.join() },
    fsync: { type: "boolean", default: true },
    explain: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const RESOURCES = Number(flags.resources);
const MEMBERS = Number(flags.members);
/** Of the placement that shares its database. */
const SHARED_RESOURCES = Math.ceil(RESOURCES / 10);
const wants = (part: string) => flags.only.split(",").includes(part);
const PHASE_TIMEOUT_MS = 600_000;
const ALONE_MS = 8_000;

type Bench = {
  servers: BenchServers;
  services: Services;
  home: string;
  neighbour: Neighbour;
  rows: (string | number)[][];
};

/** Runs a phase on so many rows, and notes how long it took and what the neighbour had of it. `toMs`: what it is compared with. */
async function phase(
  bench: Bench,
  what: string,
  rows: number,
  work: () => Promise<void>,
  toMs?: number,
): Promise<number> {
  bench.neighbour.take();
  const started = performance.now();
  await work();
  const ms = performance.now() - started;
  const { p50, p99, failed } = bench.neighbour.take();
  bench.rows.push([
    what,
    rows === 0 ? "" : rows.toLocaleString("en"),
    digits(ms / 1_000),
    rows === 0 ? "" : digits((ms * 1_000) / rows),
    toMs === undefined ? "" : ratio(ms, toMs),
    digits(p50),
    digits(p99),
    failed,
  ]);
  console.error(what, digits(ms / 1_000), "s; neighbour", digits(p50), digits(p99), failed);
  return ms;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PHASE_TIMEOUT_MS;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`${what}: not in time`);
    await delay(50);
  }
}

/** Grants and waits until it is ACTIVE. */
async function grant(
  { services }: Bench,
  organizationId: string,
  regionKey: string,
  isolation: Isolation,
): Promise<Placement> {
  const placement = await grantRegionAccess(services, OPERATOR, { organizationId, regionKey, isolation });
  await until("a grant", async () => {
    const now = await findPlacementById(services, placement.id);
    if (now?.failure != null) console.error(now.failure);
    return now?.state === "ACTIVE";
  });
  return { ...placement, state: "ACTIVE" };
}

async function revoke({ services, home }: Bench, placement: Placement, confirm: string): Promise<void> {
  await revokeRegionAccess(services, OPERATOR, {
    placementId: placement.id,
    confirm,
    skipGrace: true,
    exportFirst: false,
  });
  await until("a revocation", async () => {
    const [job] = await sql<{ state: string; error: string | null }>(
      home,
      "select state, last_error as error from tenantry.jobs where kind = 'revoke-placement' and placement_id = $1",
      [placement.id],
    );
    if (job?.error != null) console.error(job.error);
    return job?.state === "DONE";
  });
}

/** Rows as the API makes them, but at once. */
async function fill(
  server: BenchServer,
  { database, databaseId, organizationId, number }: Placement,
  rows: number,
): Promise<void> {
  await sql(
    server.url(database),
    `insert into app.resources (database_id, id, organization_id, name)
     select $1, (substr(id, 1, 16) || lpad(to_hex((2::bigint << 30) | ($3::bigint << 6) | (i & 63)), 8, '0') || substr(id, 25))::uuid, $2, 'Resource ' || i
     from (select i, replace(uuidv7()::text, '-', '') as id from generate_series(1, $4) i) made`,
    [databaseId, organizationId, number, rows],
  );
}

async function fillMembers(home: string, organizationId: string): Promise<void> {
  await sql(
    home,
    `with person as (
       insert into tenantry.users (id, name, email)
       select uuidv7(), 'Person ' || i, 'person-' || i || '@example.com' from generate_series(1, $1) i returning id
     ) insert into tenantry.memberships (organization_id, user_id, role) select $2, id, 'MEMBER' from person`,
    [MEMBERS, organizationId],
  );
}

async function count(url: string, name: string, databaseId: number): Promise<number> {
  const [row] = await sql<{ n: number }>(url, `select count(*)::int as n from ${name} where database_id = $1`, [
    databaseId,
  ]);
  return row?.n ?? 0;
}

async function untilCarried({ services, home }: Bench, databaseId: number, rows: number): Promise<void> {
  await until("carrying", async () => {
    await services.nudges.carry([{ databaseId, direction: "catalog" }], 5_000);
    return (await count(home, "catalog.resources", databaseId)) === rows;
  });
}

/** The slot is gone, as when a server has let go of it. Resolves when the copy was made good. */
async function reseed(
  { services, home, servers }: Bench,
  databaseId: number,
  name: string,
  direction: Direction,
): Promise<void> {
  const publisher = direction === "directory" ? home : servers.region.url("postgres");
  await until("parking", async () => {
    const [slot] = await sql<{ active: boolean }>(
      publisher,
      "select active from pg_replication_slots where slot_name = $1",
      [`${name}_${direction}`],
    );
    return slot?.active === false;
  });
  await sql(publisher, "select pg_drop_replication_slot($1)", [`${name}_${direction}`]);
  await until("a reseed", async () => (await services.nudges.carry([{ databaseId, direction }], 5_000)).length === 0);
}

/** Copies the same rows by `copy`, out of one server and into an empty table with the same keys on the other. */
async function copyRows(
  folder: string,
  from: string,
  to: string,
  source: string,
  columns: string,
  target: string,
): Promise<void> {
  const file = join(folder, `${newId()}.copy`);
  await sql(from, `copy (select ${columns} from ${source}) to '${file}'`);
  await sql(to, `copy ${target} (${columns}) from '${file}'`);
}

async function measureDirectory(bench: Bench, first: Placement, folder: string): Promise<void> {
  const { home, servers } = bench;
  const region = servers.region.url(first.database);
  await sql(region, "create table public.copied (like tenantry.directory_members including all)");
  const columns = "database_id, organization_id, user_id, role, joined_at, name, email, user_created_at";
  const source = `tenantry.directory_members where database_id = ${first.databaseId}`;
  const copied = await phase(bench, "members: `copy`", MEMBERS, () =>
    copyRows(folder, home, region, source, columns, "public.copied"),
  );
  await sql(region, "drop table public.copied");
  await phase(
    bench,
    "members: reseeded, all equal",
    MEMBERS,
    () => reseed(bench, first.databaseId, first.database, "directory"),
    copied,
  );
  await sql(region, "delete from tenantry.directory_members");
  await phase(
    bench,
    "members: reseeded, none there",
    MEMBERS,
    () => reseed(bench, first.databaseId, first.database, "directory"),
    copied,
  );
  const there = await count(region, "tenantry.directory_members", first.databaseId);
  if (there !== MEMBERS) throw new Error(`${there} members in the region`);
}

async function measureCatalog(bench: Bench, first: Placement, folder: string): Promise<void> {
  const { home, servers } = bench;
  const { databaseId } = first;
  const region = servers.region.url(first.database);
  await phase(bench, "resources: carried", RESOURCES, async () => {
    await fill(servers.region, first, RESOURCES);
    await untilCarried(bench, databaseId, RESOURCES);
  });
  await sql(home, "create table public.copied (like catalog.resources including all)");
  const columns = "database_id, id, organization_id, name, created_by, created_at, updated_at";
  const copied = await phase(bench, "resources: `copy`", RESOURCES, () =>
    copyRows(folder, region, home, "app.resources", columns, "public.copied"),
  );
  await sql(home, "drop table public.copied");
  await phase(
    bench,
    "resources: reseeded, all equal",
    RESOURCES,
    () => reseed(bench, databaseId, first.database, "catalog"),
    copied,
  );
  await sql(home, "delete from catalog.resources where database_id = $1", [databaseId]);
  await phase(
    bench,
    "resources: reseeded, none in the catalog",
    RESOURCES,
    () => reseed(bench, databaseId, first.database, "catalog"),
    copied,
  );
  const there = await count(home, "catalog.resources", databaseId);
  if (there !== RESOURCES) throw new Error(`${there} resources in the catalog`);
}

/** Single calls, as the big organization's people make them, and names that change until they have arrived. */
async function measureCalls(bench: Bench, api: ApiProcess, organizationId: string, first: Placement): Promise<void> {
  const { home, services, servers } = bench;
  const { databaseId, database } = first;
  const options = { name: "Bench", organizationId, role: "ADMIN", expiresInDays: 1 } as const;
  const { secret: key } = await createApiKey(services, OPERATOR, options);
  const asks = (query: string) => async () => {
    if (!(await ask(api.url, key, query))) throw new Error("a call was refused");
  };
  const renames = (url: string, named: string, direction: Direction) => async (turn: number) => {
    await sql(url, `update ${named} set name = $1 where id = (select id from ${named} order by id limit 1)`, [
      `Name ${turn}`,
    ]);
    if ((await services.nudges.carry([{ databaseId, direction }], 30_000)).length > 0)
      throw new Error("a name did not arrive");
  };
  const members = `{ organization(id: "${organizationId}") { members(first: 100) { edges { node { user { name } } } } } }`;
  const calls: [string, (turn: number) => Promise<void>][] = [
    ["listed: 100 resources", asks("{ resources(first: 100) { edges { node { id name } } } }")],
    ["listed: 100 members", asks(members)],
    ["renamed: a member", renames(home, "tenantry.users", "directory")],
    ["renamed: a resource", renames(servers.region.url(database), "app.resources", "catalog")],
  ];
  for (const [what, call] of calls) {
    const times: number[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const started = performance.now();
      await call(turn);
      times.push(performance.now() - started);
    }
    bench.rows.push([what, "a call", digits(percentile(times, 0.5) / 1_000), "", "", "", "", 0]);
    console.error(what, digits(percentile(times, 0.5)), "ms");
  }
}

const folder = mkdtempSync(join(tmpdir(), "tenantry-big-"));
// The servers write and read it, as another account where this is root.
chmodSync(folder, 0o777);
const servers = await startServers({
  fsync: flags.fsync,
  regions: 2,
  settings: {
    max_wal_size: "4GB",
    ...(flags.explain
      ? {
          session_preload_libraries: "auto_explain",
          "auto_explain.log_min_duration": "400",
          "auto_explain.log_nested_statements": "on",
          "auto_explain.log_analyze": "on",
          "auto_explain.log_buffers": "on",
          "auto_explain.log_timing": "off",
        }
      : {}),
  },
});
await sql(servers.home.url("postgres"), "create database bench_home");
const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
const worker = await startApiProcess(connection, { TENANTRY_ROLE: "all", TENANTRY_GATEWAY_LISTEN: "127.0.0.1:0" });
const api = await startApiProcess(connection, {
  TENANTRY_ACTOR_POINTS_PER_SECOND: "0",
  TENANTRY_ORGANIZATION_POINTS_PER_SECOND: "0",
});
const [, secondRegion] = servers.regions;
if (secondRegion === undefined) throw new Error("there is no second region");
const services = await createServices({
  ...connection,
  logger: createLogger({ level: "error" }),
  migrateHome: false,
  tenantSchema: TENANT_SCHEMA,
});
try {
  for (const [key, server] of [
    ["first", servers.region],
    ["second", secondRegion],
  ] as const)
    await registerRegion(services, OPERATOR, { key, name: key, connectionUrl: server.url() });
  const quiet = await createOrganization(services, OPERATOR, { name: "Quiet" });
  const big = await createOrganization(services, OPERATOR, { name: "Big" });
  const { secret } = await createApiKey(services, OPERATOR, {
    name: "Quiet",
    organizationId: quiet.id,
    role: "MEMBER",
    expiresInDays: 1,
  });
  const neighbour = new Neighbour(api, secret, quiet.id);
  const bench: Bench = { servers, services, home: connection.databaseUrl, neighbour, rows: [] };
  await grant(bench, quiet.id, "first", "DEDICATED");
  await grant(bench, quiet.id, "second", "SHARED");
  neighbour.start();
  await phase(bench, "the other organization alone", 0, () => delay(ALONE_MS));
  await fillMembers(bench.home, big.id);
  let first: Placement | undefined;
  await phase(bench, "granted a first region, DEDICATED", MEMBERS, async () => {
    first = await grant(bench, big.id, "first", "DEDICATED");
  });
  if (first === undefined) throw new Error("no placement");
  if (wants("directory")) await measureDirectory(bench, first, folder);
  if (wants("catalog")) await measureCatalog(bench, first, folder);
  await measureCalls(bench, api, big.id, first);
  if (wants("shared")) {
    let second: Placement | undefined;
    await phase(bench, "granted a second region, SHARED", MEMBERS, async () => {
      second = await grant(bench, big.id, "second", "SHARED");
    });
    if (second === undefined) throw new Error("no placement");
    const placed = second;
    await phase(bench, "resources: carried, SHARED", SHARED_RESOURCES, async () => {
      await fill(secondRegion, placed, SHARED_RESOURCES);
      await untilCarried(bench, placed.databaseId, SHARED_RESOURCES);
    });
    await phase(bench, "revoked, SHARED", MEMBERS + SHARED_RESOURCES, () => revoke(bench, placed, "Big"));
  }
  const dedicated = first;
  await phase(bench, "revoked, DEDICATED", MEMBERS + RESOURCES, () => revoke(bench, dedicated, "Big"));
  await neighbour.stop();
  const head = ["", "rows", "s", "µs a row", "to `copy`", "others: p50 ms", "p99 ms", "failed"];
  const size = `${RESOURCES.toLocaleString("en")} rows, ${MEMBERS.toLocaleString("en")} members; fsync ${flags.fsync ? "on" : "off"}`;
  report({
    title: "A big tenant",
    text: `${size}\n\n${table(head, bench.rows)}`,
    bars: bench.rows
      .filter(([, , , , toCopy]) => Number.isFinite(Number.parseFloat(String(toCopy))))
      .map(([what, , , , toCopy]) => ({
        what: `${what}, to \`copy\``,
        measured: Number.parseFloat(String(toCopy)),
        most: 2,
      })),
  });
} finally {
  await closeServices(services);
  await api.stop();
  await worker.stop();
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
}
