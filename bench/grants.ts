/**
 * Grants, from the call to ACTIVE, beside a bare `create database … template` of the same template on the same server,
 * one by one in turn and fifty at once; and SHARED grants, which make nothing. `--no-fsync`: where the disk is slow.
 * `--rounds=40`, `--crowd=50`.
 */
import { parseArgs } from "node:util";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import { waitUntilMembersVisible } from "../src/engine/links/visible-writes.ts";
import type { Services } from "../src/engine/services.ts";
import { describeMachine } from "./machine.ts";
import { type BenchServers, connected, sql, startServers } from "./servers.ts";
import { median, percentile } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import { setTimeout as delay } from "node:timers/promises";
import { requestReadyDatabases } from "../src/engine/placements/ready-databases.ts";
import { startWorker } from "./worker.ts";

const { values: flags } = parseArgs({
  options: {
    fsync: { type: "boolean", default: true },
    rounds: { type: "string", default: "40" },
    crowd: { type: "string", default: "50" },
  },
  allowNegative: true,
});

const READY = 5;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Asks until it is ACTIVE: the call returns after 5 s with the state reached. */
async function grant(
  services: Services,
  organizationId: string,
  isolation: "DEDICATED" | "SHARED" = "DEDICATED",
): Promise<void> {
  const input = { organizationId, regionKey: "bench", isolation } as const;
  for (;;) {
    const { state, failure } = await grantRegionAccess(services, OPERATOR, input);
    if (state === "ACTIVE") return;
    if (state !== "PROVISIONING") throw new Error(`the placement is ${state}: ${failure}`);
  }
}

/** One connection each, as whoever scripts it by hand has it open. */
async function bareCopies(servers: BenchServers, template: string, names: readonly string[]): Promise<number[]> {
  return Promise.all(
    names.map((name) =>
      connected(servers.region.url("postgres"), (client) =>
        timed(() => client.query(`create database ${name} template ${template} strategy wal_log`)),
      ),
    ),
  );
}

const servers = await startServers({ fsync: flags.fsync });
await sql(servers.home.url("postgres"), "create database bench_home");
const app = await startWorker({ databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey });
const { services } = app;
try {
  await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl: servers.region.url() });
  const organization = async (name: string) => (await createOrganization(services, OPERATOR, { name })).id;
  // Makes the template too.
  await grant(services, await organization("First"));
  const [found] = await sql<{ name: string }>(
    servers.region.url("postgres"),
    "select datname as name from pg_database where datname like '%template_%'  and datname like 'tenantry%'",
  );
  const template = found?.name ?? "";
  const [bare, granted]: [number[], number[]] = [[], []];
  const rounds = Number(flags.rounds);
  for (let round = 0; round < rounds; round += 1) {
    const copy = async () => bare.push(...(await bareCopies(servers, template, [`bare_${round}`])));
    const make = async () => {
      const id = await organization(`Round ${round}`);
      granted.push(await timed(() => grant(services, id)));
    };
    for (const work of round % 2 === 0 ? [copy, make] : [make, copy]) await work();
  }
  const crowd = Array.from({ length: Number(flags.crowd) }, (_, i) => i);
  const bareStarted = performance.now();
  const bareCrowd = await bareCopies(
    servers,
    template,
    crowd.map((i) => `crowd_${i}`),
  );
  const bareSeconds = (performance.now() - bareStarted) / 1_000;
  const ids = await Promise.all(crowd.map((i) => organization(`Crowd ${i}`)));
  const grantsStarted = performance.now();
  const grantCrowd = await Promise.all(ids.map((id) => timed(() => grant(services, id))));
  const grantSeconds = (performance.now() - grantsStarted) / 1_000;
  // The first one makes the shared database.
  await grant(services, await organization("Sharing first"), "SHARED");
  const [joined, arrived]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const id = await organization(`Sharing ${round}`);
    const started = performance.now();
    await grant(services, id, "SHARED");
    joined.push(performance.now() - started);
    // What the mutation waits for before it answers: the organization is known in the region.
    await waitUntilMembersVisible(services, id);
    arrived.push(performance.now() - started);
  }
  // From here on there is a stock.
  services.readyDatabases = READY;
  const [found2] = await sql<{ id: string }>(servers.home.url("bench_home"), "select id from tenantry.regions");
  const regionId = found2?.id ?? "";
  const filled = async () => {
    for (;;) {
      const [open] = await sql<{ ready: number; jobs: number }>(
        servers.home.url("bench_home"),
        `select (select count(*)::int from tenantry.tenant_databases where ready_state = 'READY') as ready,
           (select count(*)::int from tenantry.jobs where state in ('WAITING', 'RUNNING')) as jobs`,
      );
      if (open?.ready === READY && open.jobs === 0) return;
      await delay(50);
    }
  };
  const [ahead, aheadArrived, mixed]: [number[], number[], number[]] = [[], [], []];
  await requestReadyDatabases(services.home, regionId);
  for (let round = 0; round < rounds; round += 1) {
    await filled();
    const id = await organization(`Ahead ${round}`);
    const started = performance.now();
    await grant(services, id);
    ahead.push(performance.now() - started);
    await waitUntilMembersVisible(services, id);
    aheadArrived.push(performance.now() - started);
  }
  await filled();
  for (let round = 0; round < READY; round += 1) {
    const id = await organization(`Row ${round}`);
    mixed.push(await timed(() => grant(services, id)));
  }
  process.stdout.write(
    `\nahead ${digits(median(ahead))} p99 ${digits(percentile(ahead, 0.99))}; region knows ${digits(median(aheadArrived))} p99 ${digits(percentile(aheadArrived, 0.99))}; in a row ${mixed.map(digits).join(" ")}\n`,
  );
  process.stdout.write(
    `${JSON.stringify(
      await sql(
        servers.home.url("bench_home"),
        `select s.name, (percentile_cont(0.5) within group (order by extract(epoch from s.finished_at - s.started_at)) * 1000)::float8 as ms, (percentile_cont(0.5) within group (order by extract(epoch from s.started_at - j.requested_at)) * 1000)::float8 as at
     from tenantry.job_steps s join tenantry.jobs j on j.id = s.job_id join tenantry.placements p on p.id = j.placement_id join tenantry.organizations o on o.id = p.organization_id where o.name like 'Ahead%' group by s.name order by 3`,
      ),
    )}\n`,
  );
  const row = (what: string, ours: number, base: number) => [what, digits(base), digits(ours), ratio(ours, base)];
  process.stdout.write(
    `${describeMachine("18.4")}; fsync ${flags.fsync ? "on" : "off"}\n\n${table(
      ["", "bare copy", "grant to ACTIVE", "ratio"],
      [
        row(`one by one, median of ${rounds}, ms`, median(granted), median(bare)),
        row("one by one, p99, ms", percentile(granted, 0.99), percentile(bare, 0.99)),
        row(`${crowd.length} at once, median, ms`, median(grantCrowd), median(bareCrowd)),
        row(`${crowd.length} at once, p99, ms`, percentile(grantCrowd, 0.99), percentile(bareCrowd, 0.99)),
        row(`${crowd.length} at once, all, s`, grantSeconds, bareSeconds),
      ],
    )}\n`,
  );
  process.stdout.write(
    `\n${table(
      ["shared, ms", "median", "p99"],
      [
        ["grant to ACTIVE", digits(median(joined)), digits(percentile(joined, 0.99))],
        ["until the region knows the organization too", digits(median(arrived)), digits(percentile(arrived, 0.99))],
      ],
    )}\n`,
  );
  const steps = await sql<{ name: string; ms: number }>(
    servers.home.url("bench_home"),
    `select name, (percentile_cont(0.5) within group (order by extract(epoch from finished_at - started_at)) * 1000)::float8 as ms
     from tenantry.job_steps where attempts = 1 group by name order by min(started_at)`,
  );
  process.stdout.write(
    `\n${table(
      ["step", "median ms"],
      steps.map(({ name, ms }) => [name, digits(ms)]),
    )}\n`,
  );
} finally {
  await app.close();
  await servers.stop();
}
