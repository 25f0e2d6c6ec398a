/** What a fleet takes while nothing happens. */
import { delay } from "../src/base/kernel/wait.ts";
import type { Fleet } from "./fleet.ts";
import { serverMemoryBytes, serverProcesses } from "./server-usage.ts";
import { sql } from "./servers.ts";

export type Rest = {
  /** CPU-seconds per second of both servers, and of the worker. */
  serverShare: number;
  workerShare: number;
  processes: number;
  replicationProcesses: number;
  memoryBytes: number;
};

/** Lets idle connections close first; then watches for `seconds`. */
export async function watchRest(fleet: Fleet, seconds: number, calmMs: number): Promise<Rest> {
  await delay(calmMs);
  const workerCpu = async () => (fleet.mode === "parked" ? fleet.carrier.cpuSeconds() : 0);
  const [workerBefore, serversBefore, started] = [await workerCpu(), fleet.cpuSeconds(), performance.now()];
  await delay(seconds * 1_000);
  const elapsed = (performance.now() - started) / 1_000;
  const serverShare = (fleet.cpuSeconds() - serversBefore) / elapsed;
  const workerShare = ((await workerCpu()) - workerBefore) / elapsed;
  const { home, region } = fleet.servers;
  return {
    serverShare,
    workerShare,
    processes: serverProcesses(home.postmaster) + serverProcesses(region.postmaster),
    replicationProcesses: await replicationProcesses(fleet),
    memoryBytes: serverMemoryBytes(home.postmaster) + serverMemoryBytes(region.postmaster),
  };
}

/** Walsenders and apply workers on both servers. */
async function replicationProcesses({ servers }: Fleet): Promise<number> {
  const counts = await Promise.all(
    [servers.home, servers.region].map((server) =>
      sql<{ n: number }>(
        server.url("postgres"),
        `select count(*)::int as n from pg_stat_activity
         where backend_type in ('walsender', 'logical replication apply worker', 'logical replication worker')`,
      ),
    ),
  );
  return counts.flat().reduce((sum, { n }) => sum + n, 0);
}

/** Turns autovacuum on or off on both servers: it visits each database and is not replication. */
export async function setAutovacuum({ servers }: Fleet, on: boolean): Promise<void> {
  for (const server of [servers.home, servers.region]) {
    await sql(server.url("postgres"), `alter system set autovacuum = ${on ? "on" : "off"}`);
    await sql(server.url("postgres"), "select pg_reload_conf()");
  }
}
