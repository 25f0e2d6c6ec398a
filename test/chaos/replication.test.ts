/**
 * Random work while processes and servers are killed and replication is taken apart under it. At the end every directory
 * and the catalog equal what home and the tenant databases say, row by row; nothing acknowledged is lost, nothing is
 * there twice, and nothing is left awake, missing or surplus.
 *
 * CHAOS_SECONDS says how long, CHAOS_SEED repeats a run as far as timing lets it.
 */
import { randomBytes, randomInt } from "node:crypto";
import pg from "pg";
import { expect, test } from "vitest";
import { waitFor } from "../../src/base/kernel/wait.ts";
import type { ReplicationOptions } from "../../src/engine/links/replication-options.ts";
import { sql } from "../support/app.ts";
import { startForwarder, viaPort } from "../support/forwarder.ts";
import { Random } from "../support/random.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";
import { TenantryProcesses } from "../support/tenantry-processes.ts";
import { disturb, type Victims } from "./disturbances.ts";
import { insist, Ledger, type Tenant, type World, writeSomething } from "./random-work.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 120);
const SEED = Number(process.env["CHAOS_SEED"] ?? randomInt(2 ** 31));
const ORGANIZATIONS = 4;
const USERS = 12;
const WRITERS = 6;
// A connection that was forgotten on its way with a transaction open ends after a minute (base/postgres/lease.ts), and no slot can
// be made at home before that.
const CONVERGE_TIMEOUT_MS = 150_000;

const HELD = { beatMs: 200, heldMs: 2_000, endsAfterMs: 3_000 };

// All that takes minutes takes seconds here. The pauses after failures stay well below the time to converge.
const REPLICATION: Partial<ReplicationOptions> = {
  sweepIntervalMs: 500,
  carrier: {
    idleMs: 150,
    stallMs: 1_500,
    retryMs: 100,
    maxRetryMs: 3_000,
    statementMs: 2_000,
    mendStatementMs: 10_000,
  },
  limits: { maxRetainedBytes: 1024 * 1024, maxAgeMs: 1_500 },
  stopWaitMs: 1_000,
  held: HELD,
};

// A date is read as text: as a Date it would lose the microseconds that a copy must have too.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, (text: string) => text);

type Stage = {
  urls: Record<"eu" | "us", string>;
  servers: Record<"home" | "eu" | "us", OwnServer>;
  world: World;
  victims: Victims;
  ledger: Ledger;
};

/** Registers the regions and gives every organization a tenant database in one or both of them, undisturbed. */
async function furnish(random: Random, stage: Stage): Promise<Tenant[]> {
  const { urls, servers, world, ledger } = stage;
  for (const key of ["eu", "us"] as const)
    await insist(random, world, "registerRegion", { key, name: `Region ${key}`, connectionUrl: urls[key] });
  for (let index = 0; index < USERS; index += 1)
    ledger.users.push(
      await insist(random, world, "createUser", { name: `User ${index}`, email: `user.${index}@example.com` }),
    );
  for (let index = 0; index < ORGANIZATIONS; index += 1) {
    const organizationId = await insist(random, world, "createOrganization", { name: `Organization ${index}` });
    await insist(random, world, "grantRegionAccess", { organizationId, regionKey: "eu" });
    if (index % 2 === 0) await insist(random, world, "grantRegionAccess", { organizationId, regionKey: "us" });
  }
  const rows = await sql<Tenant & { region: "eu" | "us" }>(
    world.homeUrl,
    `select p.organization_id as organization, p.number, r.key as region, d.name as database
     from tenantry.placements p join tenantry.regions r on r.id = p.region_id
     join tenantry.tenant_databases d on d.id = p.database_id where p.state = 'ACTIVE' order by p.number`,
  );
  expect(rows).toHaveLength(ORGANIZATIONS * 1.5);
  for (const row of rows) row.url = servers[row.region].url(row.database);
  return rows;
}

/** What was acknowledged and is not there, and what is there twice. */
async function findLosses({ homeUrl, tenants }: World, ledger: Ledger): Promise<string[]> {
  const found: string[] = [];
  const check = async (url: string, prefix: string, statement: string) => {
    const rows = await sql<{ key: string; value: string }>(url, statement);
    const values = new Map(rows.map(({ key, value }) => [key, value]));
    if (values.size < rows.length) found.push(`${prefix}: ${rows.length - values.size} are there twice`);
    for (const [key, value] of ledger.known(prefix))
      if ((values.get(key) ?? null) !== value) found.push(`${prefix}${key}: ${values.get(key)} instead of ${value}`);
  };
  const members = "select organization_id || ' ' || user_id as key, role as value from tenantry.memberships";
  await check(homeUrl, "member ", members);
  await check(homeUrl, "user ", "select id::text as key, name as value from tenantry.users");
  await check(homeUrl, "email ", "select email as key, id::text as value from tenantry.users");
  for (const url of [homeUrl, ...tenants.map((tenant) => tenant.url)]) {
    const own = url === homeUrl ? "database_id = 0" : "true";
    await check(
      url,
      `resource ${url} `,
      `select name as key, id::text as value from app.resources where ${own} and name like 'Resource %'`,
    );
    await check(url, `comment ${url} `, "select body as key, id::text as value from app.comments");
    await check(
      url,
      `handmade ${url} `,
      `select id::text as key, name as value from app.resources where name like 'By hand %' and ${own}`,
    );
  }
  return found;
}

test(`replication survives ${SECONDS} s of everything at once (CHAOS_SEED=${SEED})`, {
  timeout: SECONDS * 1_000 + 240_000,
}, async ({ annotate }) => {
  const random = new Random(SEED);
  await using stack = new AsyncDisposableStack();
  const [home, eu, us] = await Promise.all([startServer({ databases: ["chaos"] }), startServer(), startServer()]);
  for (const server of [home, eu, us]) stack.use(server);
  const homeUrl = home.url("chaos");
  const secretKey = randomBytes(32).toString("base64");
  // Tenantry reaches the servers by paths that can swallow what is sent; what looks on does not.
  const paths = await Promise.all([home, eu, us].map((server) => startForwarder(server.url("postgres"))));
  for (const path of paths) stack.use(path);
  const [toHome = 0, toEu = 0, toUs = 0] = paths.map(({ port }) => port);
  const urls = { eu: viaPort(eu.url(), toEu), us: viaPort(us.url(), toUs) };
  const processes = new TenantryProcesses({
    databaseUrl: viaPort(homeUrl, toHome),
    secretKey,
    replication: REPLICATION,
    jobs: { held: HELD },
    listening: { beatMs: 500, answerMs: 1_500 },
  });
  stack.defer(() => processes.stop("SIGKILL"));
  const servers = { home, eu, us };
  const ledger = new Ledger();
  const world: World = { homeUrl, tenants: [], apis: () => processes.urls };
  const victims: Victims = {
    processes,
    servers: { home: home.server, eu: eu.server, us: us.server },
    paths,
    homeUrl,
    tenants: [],
  };
  await processes.start("api");
  await Promise.all([processes.start("api"), processes.start("worker"), processes.start("worker")]);
  const tenants = await furnish(random, { urls, servers, world, victims, ledger });
  world.tenants = tenants;
  victims.tenants = tenants;

  const end = performance.now() + SECONDS * 1_000;
  const isOver = () => performance.now() > end;
  const happened: string[] = [];
  const writers = Array.from({ length: WRITERS }, async () => {
    const own = random.fork();
    while (!isOver()) {
      await writeSomething(own, world, ledger);
      await own.moment(60, isOver);
    }
  });
  const disturber = async () => {
    const own = random.fork();
    while (!isOver()) {
      // In the second half nothing is damaged any more: a reseed mends, and hides, what was lost before it.
      const damage = end - performance.now() > SECONDS * 500;
      happened.push(await disturb(own, victims, { damage }));
      await own.moment(1_000, isOver);
    }
  };
  await Promise.all([...writers, disturber()]);

  const installation: Installation = {
    homeUrl,
    regionUrl: (key, database) => servers[key as "eu" | "us"].url(database),
  };
  const look = async () => [...(await findDifferences(installation)), ...(await findUnrest(installation))];
  const converged = await waitFor(async () => ((await look()).length === 0 ? true : undefined), {
    timeoutMs: CONVERGE_TIMEOUT_MS,
    maxPauseMs: 500,
  });
  const took = Math.round(performance.now() - end);
  const { acknowledged, refused, unanswered } = ledger;
  await annotate(
    `${acknowledged} writes acknowledged, ${refused} refused, ${unanswered} unanswered; ${happened.length} disturbances; converged after ${took} ms`,
  );
  const story = () => `CHAOS_SEED=${SEED}\n${happened.join("\n")}\n\n${processes.log.join("\n")}`;
  expect(converged === true ? [] : await look(), story()).toEqual([]);
  expect(await findLosses(world, ledger), story()).toEqual([]);
  expect(processes.crashes, story()).toEqual([]);
  // The work was done and was disturbed.
  expect(happened.length).toBeGreaterThan(SECONDS / 3);
  expect(ledger.acknowledged).toBeGreaterThan(SECONDS * 2);

  await processes.stop("SIGTERM");
  expect(await look(), story()).toEqual([]);
});
