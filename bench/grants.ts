/**
 * Grants, from the call to ACTIVE, beside a bare `create database … template` of the same template on the same server, one by
 * one in turn and fifty at once; grants that find a ready database; SHARED grants, which make nothing; and the first grant of a
 * region that is just being registered. `--no-fsync`: where the disk is slow. `--rounds=40`, `--crowd=50`.
 */
import { parseArgs } from "node:util";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import { requestReadyDatabases } from "../src/engine/placements/ready-databases.ts";
import { waitUntilMembersVisible } from "../src/engine/links/visible-writes.ts";
import { waitFor } from "../src/base/kernel/wait.ts";
import { report } from "./part.ts";
import { connected, sql, startServers } from "./servers.ts";
import { median, percentile } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import { startWorker } from "./worker.ts";

const { values: flags } = parseArgs({
  options: {
    fsync: { type: "boolean", default: true },
    rounds: { type: "string", default: "40" },
    crowd: { type: "string", default: "50" },
  },
  allowNegative: true,
});
const ROUNDS = Number(flags.rounds);
const CROWD = Number(flags.crowd);
const READY = 5;
/** So many regions are registered, each on a server of its own, and granted at once. */
const NEW_REGIONS = 3;

const servers = await startServers({ fsync: flags.fsync, regions: 1 + NEW_REGIONS });
await sql(servers.home.url("postgres"), "create database bench_home");
const home = servers.home.url("bench_home");
const app = await startWorker({ databaseUrl: home, secretKey: servers.secretKey });
const { services } = app;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function organization(name: string): Promise<string> {
  return (await createOrganization(services, OPERATOR, { name })).id;
}

/** Asks until it is ACTIVE: the call returns after 5 s with the state reached. */
async function grant(
  organizationId: string,
  { isolation = "DEDICATED", regionKey = "bench" }: { isolation?: "DEDICATED" | "SHARED"; regionKey?: string } = {},
): Promise<void> {
  for (;;) {
    const { state, failure } = await grantRegionAccess(services, OPERATOR, { organizationId, regionKey, isolation });
    if (state === "ACTIVE") return;
    if (state !== "PROVISIONING") throw new Error(`the placement is ${state}: ${failure}`);
  }
}

/** Until ACTIVE, and until the region knows the organization too, which the mutation waits for before it answers. */
async function grantUntilKnown(name: string, isolation: "DEDICATED" | "SHARED"): Promise<[number, number]> {
  const id = await organization(name);
  const started = performance.now();
  await grant(id, { isolation });
  const active = performance.now() - started;
  await waitUntilMembersVisible(services, id);
  return [active, performance.now() - started];
}

/** One connection each, as whoever scripts it by hand has it open. */
async function bareCopies(template: string, names: readonly string[]): Promise<number[]> {
  return Promise.all(
    names.map((name) =>
      connected(servers.region.url("postgres"), (client) =>
        timed(() => client.query(`create database ${name} template ${template} strategy wal_log`)),
      ),
    ),
  );
}

/** Registers a region on a server that has nothing of ours, and grants the first access at once. */
async function firstGrants(): Promise<number[]> {
  const took: number[] = [];
  for (let index = 1; index <= NEW_REGIONS; index += 1) {
    const id = await organization(`First of region ${index}`);
    const connectionUrl = servers.regions[index]?.url() ?? "";
    const key = `new-${index}`;
    took.push(
      await timed(async () => {
        await registerRegion(services, OPERATOR, { key, name: key, connectionUrl });
        await grant(id, { regionKey: key });
      }),
    );
  }
  return took;
}

function timesOf(what: string, took: readonly [number, number][]): string[] {
  const [active, known] = [took.map(([ms]) => ms), took.map(([, ms]) => ms)];
  return [what, ...[active, known].flatMap((ms) => [digits(median(ms)), digits(percentile(ms, 0.99))])];
}

/** Until the stock is full and nothing is being done. */
async function refilled(): Promise<void> {
  const look = async () => {
    const [now] = await sql<{ ready: number; open: number }>(
      home,
      `select (select count(*)::int from tenantry.tenant_databases d join tenantry.regions r on r.id = d.region_id
               where r.key = 'bench' and ready_state = 'READY') as ready,
         (select count(*)::int from tenantry.jobs where state in ('WAITING', 'RUNNING')) as open`,
    );
    return now?.ready === READY && now.open === 0 ? true : undefined;
  };
  if ((await waitFor(look, { timeoutMs: 60_000 })) === undefined) throw new Error("nothing was made ahead in time");
}

try {
  const connectionUrl = servers.region.url();
  const { id: regionId } = await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl });
  // Makes the template too.
  await grant(await organization("First"));
  const [found] = await sql<{ name: string }>(
    servers.region.url("postgres"),
    "select datname as name from pg_database where datname like '%template_%'  and datname like 'tenantry%'",
  );
  const template = found?.name ?? "";
  const [bare, granted]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const copy = async () => bare.push(...(await bareCopies(template, [`bare_${round}`])));
    const make = async () => {
      const id = await organization(`Round ${round}`);
      granted.push(await timed(() => grant(id)));
    };
    for (const work of round % 2 === 0 ? [copy, make] : [make, copy]) await work();
  }
  const crowd = Array.from({ length: CROWD }, (_, i) => i);
  const crowdNames = crowd.map((i) => `crowd_${i}`);
  let bareCrowd: number[] = [];
  const bareMs = await timed(async () => {
    bareCrowd = await bareCopies(template, crowdNames);
  });
  const ids = await Promise.all(crowd.map((i) => organization(`Crowd ${i}`)));
  let grantCrowd: number[] = [];
  const grantsMs = await timed(async () => {
    grantCrowd = await Promise.all(ids.map((id) => timed(() => grant(id))));
  });
  const first = await firstGrants();
  // The first one makes the shared database.
  await grant(await organization("Sharing first"), { isolation: "SHARED" });
  const shared: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round += 1) shared.push(await grantUntilKnown(`Sharing ${round}`, "SHARED"));
  services.readyDatabases = READY;
  await requestReadyDatabases(services.home, regionId);
  const ready: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await refilled();
    ready.push(await grantUntilKnown(`Ready ${round}`, "DEDICATED"));
  }
  await refilled();
  const inARow: [number, number][] = [];
  for (let round = 0; round < READY; round += 1) inARow.push(await grantUntilKnown(`In a row ${round}`, "DEDICATED"));
  const row = (what: string, ours: number, base: number) => [what, digits(base), digits(ours), ratio(ours, base)];
  const copied = table(
    ["", "bare copy", "grant to ACTIVE", "ratio"],
    [
      row(`one by one, median of ${ROUNDS}, ms`, median(granted), median(bare)),
      row("one by one, p99, ms", percentile(granted, 0.99), percentile(bare, 0.99)),
      row(`${CROWD} at once, median, ms`, median(grantCrowd), median(bareCrowd)),
      row(`${CROWD} at once, p99, ms`, percentile(grantCrowd, 0.99), percentile(bareCrowd, 0.99)),
      row(`${CROWD} at once, all, s`, grantsMs / 1_000, bareMs / 1_000),
    ],
  );
  const others = table(
    ["ms", "to ACTIVE, median", "p99", "until the region knows the organization, median", "p99"],
    [
      timesOf("a ready database", ready),
      timesOf(`${READY} ready databases, one after another`, inARow),
      timesOf("SHARED", shared),
    ],
  );
  const known = (took: readonly [number, number][]) => median(took.map(([, ms]) => ms));
  const steps = await sql<{ name: string; ms: number }>(
    home,
    `select s.name, (percentile_cont(0.5) within group (order by extract(epoch from s.finished_at - s.started_at)) * 1000)::float8 as ms
     from tenantry.job_steps s join tenantry.jobs j on j.id = s.job_id
     where s.attempts = 1 and j.kind = 'provision-placement' group by s.name order by min(s.started_at)`,
  );
  report({
    title: "Grants",
    text: [
      `fsync ${flags.fsync ? "on" : "off"}`,
      copied,
      others,
      `Registering a region and its first grant, ${first.length} times: ${first.map((ms) => `${digits(ms)} ms`).join(", ")}.`,
      table(
        ["step of a grant", "median ms"],
        steps.map(({ name, ms }) => [name, digits(ms)]),
      ),
    ].join("\n\n"),
    bars: [
      { what: "a dedicated grant, to a bare copy, median", measured: median(granted) / median(bare), most: 2 },
      { what: `${CROWD} dedicated grants at once, to bare copies`, measured: grantsMs / bareMs, most: 2.5 },
      { what: "a grant that finds a ready database", measured: known(ready), unit: "ms", most: 100 },
      { what: "a shared grant", measured: known(shared), unit: "ms", most: 30 },
      { what: "registering a region to its first grant", measured: median(first), unit: "ms", most: 1_000 },
    ],
  });
} finally {
  await app.close();
  await servers.stop();
}
