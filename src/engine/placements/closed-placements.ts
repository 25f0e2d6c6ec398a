/**
 * Closing a placement to writes in its database, so that also a process which has heard of nothing is refused, and waiting for the
 * writes that are under way (engine/schema/tenant/0001_tenant_database.sql). Nobody else in the database waits for either.
 */
import { TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";
import type { TenantDatabase } from "#base/postgres/database";
import { LOCK_CLASS } from "#base/postgres/session-lock";

/** How long a revocation waits for writes that are under way, in milliseconds. It is tried again. */
export const WRITERS_TIMEOUT_MS = 2_000;

/**
 * One that began before this sees by it that there is something closed which it cannot see. After the closing has committed, and
 * before writers are looked for.
 */
export const TELL = `select setval('tenantry.closings_told', (select number from tenantry.closings for update))`;
/** Makes snapshots of before tell from those of after. In the transaction that closes. */
export const COUNT = `update tenantry.closings set number = number + 1`;

/** Has the database refuse the placement's writes from now on. */
export async function closeForGood(database: TenantDatabase, number: number): Promise<void> {
  await database.session((session) =>
    session.script(
      "placements.close",
      `begin;
       insert into tenantry.closed_placements (number) values (${asNumber(number)}) on conflict (number) do update set until = null;
       ${COUNT};
       commit;
       ${TELL}`,
    ),
  );
}

/**
 * Waits until no write is under way that may not have seen that the placement is closed. Throws LIMIT_EXCEEDED when a transaction
 * that wrote for it stays open for so long.
 */
export async function waitForWriters(database: TenantDatabase, number: number, timeoutMs: number): Promise<void> {
  // Whoever writes holds it with others, until the transaction ends. To have it alone for a moment shows that nobody does.
  const free = () =>
    database.query<{ free: boolean }>("placements.await_writers", "select pg_try_advisory_xact_lock($1, $2) as free", [
      LOCK_CLASS.writers,
      number,
    ]);
  const done = await waitFor(async () => ((await free())[0]?.free === true ? true : undefined), {
    timeoutMs,
    maxPauseMs: 50,
  });
  if (done === undefined)
    throw new TenantryError(
      "LIMIT_EXCEEDED",
      "A transaction that has written in the organization's database stays open, so what it wrote cannot be waited for: it is tried again.",
    );
}

/** A number as it stands in a text. */
export function asNumber(number: number): string {
  if (!Number.isSafeInteger(number)) throw new Error("no whole number");
  return String(number);
}
