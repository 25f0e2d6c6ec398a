/** How long one change takes to the other side, each from rest and in a random tenant database. */
import { newRoutedId } from "../src/base/kernel/ids.ts";
import { delay } from "../src/base/kernel/wait.ts";
import type { Direction } from "../src/engine/replication/names.ts";
import type { Fleet, TenantDatabase } from "./fleet.ts";
import { connected } from "./servers.ts";
import { shuffled } from "./statistics.ts";

export type Sample = {
  /** From the commit's return to the row on the other side, in ms. */
  visibleMs: number;
  /** From the commit's return to the ticket's answer, which is what a mutation waits for; NaN when attached. */
  answeredMs: number;
};

const TIMEOUT_MS = 30_000;

/** One change after the other; in the parked mode each starts `fromRest`, with no replication process on either server. */
export async function measureLatency(
  fleet: Fleet,
  direction: Direction,
  count: number,
  fromRest = true,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  let order: TenantDatabase[] = [];
  for (let index = 0; index < count; index += 1) {
    if (order.length === 0) order = shuffled(fleet.databases, index + 1);
    const database = order.pop();
    if (database === undefined) break;
    if (fleet.mode === "parked" && fromRest) await fleet.untilParked();
    samples.push(await measureOne(fleet, direction, database, `Change ${direction} ${index} ${Date.now()}`));
  }
  return samples;
}

function measureOne(fleet: Fleet, direction: Direction, database: TenantDatabase, name: string): Promise<Sample> {
  return connected(fleet.tenantUrl(database), async (tenant) => {
    const write =
      direction === "directory"
        ? () => fleet.home.query("update tenantry.users set name = $2 where id = $1", [database.userId, name])
        : () =>
            tenant.query(
              `insert into app.resources (database_id, id, organization_id, name)
               values ($1, $4, $2, $3)`,
              [database.id, database.organizationId, name, newRoutedId(database.number)],
            );
    const reader = direction === "directory" ? tenant : fleet.home;
    const table = direction === "directory" ? "tenantry.directory_members" : "catalog.resources";
    const isVisible = async () =>
      (await reader.query(`select from ${table} where database_id = $1 and name = $2`, [database.id, name]))
        .rowCount === 1;
    // Once before: parsing and planning it is no part of the wait.
    await isVisible();
    await write();
    const committed = performance.now();
    const [answeredMs, visibleMs] = await Promise.all([
      fleet.mode === "parked" ? carry(fleet, database, direction, committed) : Number.NaN,
      untilVisible(isVisible, committed),
    ]);
    return { visibleMs, answeredMs };
  });
}

async function carry(fleet: Fleet, { id }: TenantDatabase, direction: Direction, since: number): Promise<number> {
  const late = await fleet.services.nudges.carry([{ databaseId: id, direction }], TIMEOUT_MS);
  if (late.length > 0) throw new Error("a nudge was not answered in time");
  return performance.now() - since;
}

async function untilVisible(isVisible: () => Promise<boolean>, since: number): Promise<number> {
  while (!(await isVisible())) {
    if (performance.now() - since > TIMEOUT_MS) throw new Error("a change did not arrive in time");
    await delay(1);
  }
  return performance.now() - since;
}
