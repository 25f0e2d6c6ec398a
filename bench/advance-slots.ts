/** Brings the slots of a parked fleet to the end of the WAL, so that measurements start from the same state. */
import type { BenchServer } from "./servers.ts";
import { connected } from "./servers.ts";

const SCOUT = "bench_scout";

/**
 * One slot is advanced over the WAL, the others become copies of it: advancing each would read all of it once per
 * slot. Only for slots with nothing to send and no subscription enabled.
 */
export async function advanceSlots(server: BenchServer): Promise<void> {
  const scout = async (text: string) => connected(server.url("postgres"), (client) => client.query(text));
  await scout(`select pg_create_logical_replication_slot('${SCOUT}', 'pgoutput')`);
  const { rows } = await connected(server.url("postgres"), (client) =>
    client.query<{ database: string; names: string[] }>(
      `select database, array_agg(slot_name)::text[] as names from pg_replication_slots
       where slot_name <> '${SCOUT}' group by database`,
    ),
  );
  for (const { database, names } of rows)
    await connected(server.url(database), async (client) => {
      for (const name of names)
        await client.query(
          `select pg_drop_replication_slot($1), pg_copy_logical_replication_slot('${SCOUT}', $1::name)`,
          [name],
        );
    });
  await scout(`select pg_drop_replication_slot('${SCOUT}')`);
}
