/**
 * The numbers that ids carry, and which placement they lead to: its own, and those of placements that are gone and whose rows
 * were imported into it.
 */
import type { HomeDatabase } from "#base/postgres/database";

/** Writers of placements take milliseconds. */
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Has ids with this number lead to the placement, from the commit on. Returns the id of the placement that they lead to now:
 * another's, when that one has the number, and then nothing was changed. Running it twice changes nothing.
 */
export function adoptNumber(
  { home }: { home: HomeDatabase },
  placementId: string,
  number: number,
): Promise<string | undefined> {
  return home.transaction(async (transaction) => {
    await transaction.query("placement_numbers.wait", "select set_config('lock_timeout', $1, true)", [
      String(LOCK_TIMEOUT_MS),
    ]);
    // A grant that is not committed yet may have drawn this very number: it is waited for, and the next one looks again.
    await transaction.query("placement_numbers.lock", "lock table tenantry.placements in share row exclusive mode");
    await transaction.query(
      "placement_numbers.adopt",
      `insert into tenantry.adopted_numbers as a (number, placement_id)
       select $2, id from tenantry.placements where id = $1
         and not exists (select from tenantry.placements where number = $2)
       on conflict (number) do update set placement_id = excluded.placement_id where a.placement_id is null`,
      [placementId, number],
    );
    const [owner] = await transaction.query<{ id: string }>(
      "placement_numbers.owner",
      `select id from tenantry.placements where number = $1
       union all select placement_id from tenantry.adopted_numbers where number = $1`,
      [number],
    );
    return owner?.id;
  });
}

/** The numbers that lead to the placement: its own first, then those that it has adopted. */
export async function numbersOf({ home }: { home: HomeDatabase }, placementId: string): Promise<number[]> {
  const rows = await home.query<{ number: number }>(
    "placement_numbers.of",
    `select number, 0 as position from tenantry.placements where id = $1
     union all select number, 1 from tenantry.adopted_numbers where placement_id = $1 order by position, number`,
    [placementId],
  );
  return rows.map(({ number }) => number);
}
