/** What a server does for connections that hear nothing of it, as it says on another connection of the same role. */
import type pg from "pg";

/** What the server's process does for a connection. */
export type Backend = {
  /** As in `pg_stat_activity`; null: the server does not say. */
  state: string | null;
  /** For how long it has been in that state. */
  quietMs: number;
};

/** An answer, or what was asked, is on its way for no longer. */
const ON_ITS_WAY_MS = 2_000;
/** What is asked can be long. A way that carries less takes a long statement for one that was forgotten. */
const LEAST_BYTES_PER_MS = 100;
/** A process with the same number that was begun later than ours is another one. The clocks need not agree: ages are compared. */
const AGE_SLACK_MS = 2_000;

/**
 * Asks the server what these of its processes do. A process that the server does not have is left out. Undefined: what it calls by these
 * numbers is something else, as where a proxy is in between.
 */
export async function askAbout(
  looker: pg.PoolClient,
  pids: readonly number[],
): Promise<ReadonlyMap<number, Backend> | undefined> {
  const { processID } = looker as unknown as { processID: number | null };
  if (processID === null) return undefined;
  const { rows } = await looker.query<{ pid: number; state: string | null; quiet: number | null }>(
    `/* tenantry: silence.look */ select pid, state,
       extract(epoch from clock_timestamp() - state_change)::float8 * 1000 as quiet
     from pg_stat_activity where pid = any($1::int[])`,
    [[...pids, processID]],
  );
  const backends = new Map(rows.map(({ pid, state, quiet }) => [pid, { state, quietMs: quiet ?? 0 }]));
  return backends.get(processID)?.state === "active" ? backends : undefined;
}

/**
 * Whether a connection that has heard nothing for a while was forgotten on the way. `sentBytes`: how much it was asked since.
 * Idle is also a server to which a long statement is still coming.
 */
export function isForgotten(backend: Backend | undefined, sentBytes: number): boolean {
  if (backend === undefined) return true;
  const isIdle = backend.state?.startsWith("idle") === true;
  return isIdle && backend.quietMs >= ON_ITS_WAY_MS + sentBytes / LEAST_BYTES_PER_MS;
}

/** Ends what the server still does for connections that are gone, of the looker's role. `ageMs`: how long ago they were made. */
export async function endBackends(
  looker: pg.PoolClient,
  gone: readonly { pid: number; ageMs: number }[],
): Promise<void> {
  await looker.query(
    `/* tenantry: silence.end */ select pg_terminate_backend(a.pid)
     from pg_stat_activity a join unnest($1::int[], $2::float8[]) as g (pid, age) on g.pid = a.pid
     where a.usesysid = (select r.oid from pg_roles r where r.rolname = session_user)
       and extract(epoch from clock_timestamp() - a.backend_start)::float8 * 1000 >= g.age - ${AGE_SLACK_MS}`,
    [gone.map(({ pid }) => pid), gone.map(({ ageMs }) => ageMs)],
  );
}
