/** One sweep over parked databases with nothing to carry: what it costs. */
import type { Fleet } from "./fleet.ts";
import { connected } from "./servers.ts";

export type SweepCost = { wallMs: number; cpuSeconds: number; workerCpuSeconds: number };

/** Sweeps once. With `due` every link is looked into because of its age; else only what holds back too much WAL. */
export async function measureSweep(fleet: Fleet, { due }: { due: boolean }): Promise<SweepCost> {
  await fleet.home.query(
    due
      ? "update tenantry.links set checked_at = now() - interval '1 day'"
      : "update tenantry.links set checked_at = now()",
  );
  const [workerBefore, cpuBefore] = [await fleet.carrier.cpuSeconds(), fleet.cpuSeconds()];
  const { ms } = await fleet.carrier.sweep();
  await fleet.untilParked();
  const cpuSeconds = fleet.cpuSeconds() - cpuBefore;
  return { wallMs: ms, cpuSeconds, workerCpuSeconds: (await fleet.carrier.cpuSeconds()) - workerBefore };
}

/** Has both servers write this much WAL about rows of a database that replicates nothing. */
export async function writeWal(fleet: Fleet, bytes: number): Promise<void> {
  for (const server of [fleet.servers.home, fleet.servers.region])
    await connected(server.url("postgres"), async (client) => {
      await client.query("create table if not exists bench_rows (id uuid primary key, body text)");
      const { rows } = await client.query<{ lsn: string }>("select pg_current_wal_lsn()::text as lsn");
      for (let written = 0; written < bytes; ) {
        await client.query(
          "insert into bench_rows select gen_random_uuid(), repeat('x', 100) from generate_series(1, 2000)",
        );
        const { rows: now } = await client.query<{ bytes: string }>(
          "select (pg_current_wal_lsn() - $1::pg_lsn)::text as bytes",
          [rows[0]?.lsn],
        );
        written = Number(now[0]?.bytes);
      }
    });
}

/** Median WAL in bytes that the servers keep for a slot. */
export async function retainedBytes(fleet: Fleet): Promise<number[]> {
  const read = (url: string) =>
    connected(url, async (client) => {
      const { rows } = await client.query<{ bytes: string }>(
        `select percentile_disc(0.5) within group (order by pg_current_wal_lsn() - restart_lsn)::text as bytes
         from pg_replication_slots`,
      );
      return Number(rows[0]?.bytes);
    });
  return Promise.all([read(fleet.servers.home.url("postgres")), read(fleet.servers.region.url("postgres"))]);
}
