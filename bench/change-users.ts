/** Changes of users who are each known in two tenant databases: from the first write until all have arrived. */
import { waitFor } from "../src/base/kernel/wait.ts";
import type { Fleet } from "./fleet.ts";
import { sql } from "./servers.ts";

export type UserChangeCost = { cpuSeconds: number; workerCpuSeconds: number; arrivedMs: number; missing: number };

/** Writes one change after the other without waiting for any; the CPU counts until what was woken is parked again. */
export async function changeUsers(fleet: Fleet, count: number): Promise<UserChangeCost> {
  const users = fleet.sharedUsers.slice(0, count);
  const name = `Renamed ${Date.now()}`;
  const targets = new Map<string, string>();
  const nameOf = new Map(fleet.databases.map((database) => [database.id, `${database.name}_directory`]));
  const workerCpu = async () => (fleet.mode === "parked" ? fleet.carrier.cpuSeconds() : 0);
  const [workerBefore, cpuBefore, started] = [await workerCpu(), fleet.cpuSeconds(), performance.now()];
  for (const { id, databaseIds } of users) {
    await fleet.home.query("update tenantry.users set name = $2 where id = $1", [id, name]);
    const { rows } = await fleet.home.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
    for (const database of databaseIds) targets.set(nameOf.get(database) ?? "", rows[0]?.lsn ?? "");
  }
  await untilConfirmed(fleet, targets);
  const arrivedMs = performance.now() - started;
  if (fleet.mode === "parked") await fleet.untilParked();
  const cpuSeconds = fleet.cpuSeconds() - cpuBefore;
  const workerCpuSeconds = (await workerCpu()) - workerBefore;
  return { cpuSeconds, workerCpuSeconds, arrivedMs, missing: 2 * users.length - (await countArrived(fleet, name)) };
}

async function untilConfirmed(fleet: Fleet, targets: ReadonlyMap<string, string>): Promise<void> {
  const arrived = await waitFor(
    async () => {
      const { rows } = await fleet.home.query<{ n: number }>(
        `select count(*)::int as n from unnest($1::text[], $2::pg_lsn[]) as target (name, lsn)
         left join pg_replication_slots s on s.slot_name = target.name
         where s.slot_name is null or s.confirmed_flush_lsn < target.lsn`,
        [[...targets.keys()], [...targets.values()]],
      );
      return rows[0]?.n === 0 ? true : undefined;
    },
    { timeoutMs: 300_000, pauseMs: 50, maxPauseMs: 50 },
  );
  if (arrived === undefined) throw new Error("the changes of users did not arrive in time");
}

/** The rows themselves, in every tenant database. */
async function countArrived(fleet: Fleet, name: string): Promise<number> {
  let count = 0;
  for (const database of fleet.databases) {
    const [row] = await sql<{ n: number }>(
      fleet.tenantUrl(database),
      "select count(*)::int as n from tenantry.directory_members where name = $1",
      [name],
    );
    count += row?.n ?? 0;
  }
  return count;
}
