/**
 * Holding a placement's writes in its database for a moment, while the placement is switched to another one. The database itself
 * refuses them, with the SQLSTATE TNCLS and before anything is changed; whoever writes waits and tries again
 * (engine/routing/held-writes.ts). A hold ends by itself: whoever began it may die.
 */
import { TenantryError } from "#base/kernel/errors";
import type { TenantDatabase } from "#base/postgres/database";
import { asNumber, COUNT, TELL, waitForWriters } from "#engine/placements/closed-placements";

/**
 * Holds the writes of the placement with this number for so many milliseconds from now on. Called again it goes on for as long from
 * then. Returns since when they are held: where it is later than at the call before, some came through in between. CONFLICT where the
 * database is closed to the placement for good.
 */
export async function closeForMoment(database: TenantDatabase, number: number, ms: number): Promise<Date> {
  const { since, was, now } = await changeClosed(
    database,
    number,
    `insert into tenantry.closed_placements as c (number, until)
       values (${asNumber(number)}, clock_timestamp() + ${asNumber(ms)} * interval '1 ms')
     on conflict (number) do update set until = excluded.until,
       closed_at = case when c.until > clock_timestamp() then c.closed_at else excluded.closed_at end
     where c.until is not null
     returning closed_at as since`,
  );
  if (since === undefined)
    throw new TenantryError(
      "CONFLICT",
      "The database takes no writes of the placement any more: it is closed for good.",
    );
  if (was === null || was > now) return since;
  // The hold before was over when this one was committed.
  const [anew] = await database.query<{ since: Date }>(
    "moves.hold_anew",
    "update tenantry.closed_placements set closed_at = clock_timestamp() where number = $1 returning closed_at as since",
    [number],
  );
  return anew?.since ?? now;
}

/**
 * Waits until no write of the placement is under way that may not have seen the hold. Nobody waits for it, and it waits for nobody
 * else's writes. LIMIT_EXCEEDED when a transaction that wrote stays open for longer than `timeoutMs`.
 */
export function drain(database: TenantDatabase, number: number, timeoutMs: number): Promise<void> {
  return waitForWriters(database, number, timeoutMs);
}

/**
 * Makes the hold one that lasts. Returns whether it has: not where the hold was over before that, when somebody may have written. It
 * is open then.
 */
export async function closeForGood(database: TenantDatabase, number: number): Promise<boolean> {
  const { since, was, now } = await changeClosed(
    database,
    number,
    `update tenantry.closed_placements set until = null
     where number = ${asNumber(number)} and (until is null or until > clock_timestamp())
     returning closed_at as since`,
  );
  if (since === undefined) return false;
  if (was === null || was > now) return true;
  await reopen(database, number);
  return false;
}

/**
 * Ends the hold that began at this moment, as {@link closeForMoment} has said it, also one that was made to last. Another one, that
 * somebody else has begun since, stays.
 */
export async function letGo(database: TenantDatabase, number: number, since: Date): Promise<void> {
  await database.query(
    "moves.let_go",
    // A date of the program has milliseconds.
    "delete from tenantry.closed_placements where number = $1 and date_trunc('milliseconds', closed_at) = $2",
    [number, since],
  );
}

/** Lets the placement's writes in again. */
export async function reopen(database: TenantDatabase, number: number): Promise<void> {
  await database.session((session) =>
    session.script(
      "moves.open",
      `begin;
       set local synchronous_commit = on;
       delete from tenantry.closed_placements where number = ${asNumber(number)};
       commit`,
    ),
  );
}

type Changed = {
  /** Undefined: nothing was changed. */
  since: Date | undefined;
  /** Until when it was held before; null: it was not, or for good. */
  was: Date | null;
  /** By the database's clock, after the change was committed. */
  now: Date;
};

/** One message, as the database may be far away. */
async function changeClosed(database: TenantDatabase, number: number, change: string): Promise<Changed> {
  const results = await database.session((session) =>
    session.script(
      "moves.hold",
      `begin;
       select until as was from tenantry.closed_placements where number = ${asNumber(number)} for update;
       ${change};
       ${COUNT};
       commit;
       ${TELL};
       select clock_timestamp() as now`,
    ),
  );
  // Each statement gives one row at most, with columns of its own.
  const none: Changed = { since: undefined, was: null, now: new Date() };
  return Object.assign(none, ...results.flat()) as Changed;
}
