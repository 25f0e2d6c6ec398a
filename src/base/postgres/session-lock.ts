/**
 * Advisory locks of a session, by a class and a name. They end with the session, however that ends. All classes of the
 * program stand here, as two uses of one number would wait for each other. Locks are per database.
 */
import type { Database, DatabaseKind, Session } from "#base/postgres/database";

export const LOCK_CLASS = {
  /** At home: who carries a region, by its id. */
  region: 7_365_003,
  /** At home: who runs jobs on a subject. */
  jobSubject: 7_365_004,
  /** At home: one of the slots for jobs on a region's server, by region and index. */
  serverSlot: 7_365_005,
  /** In the subscriber's database: who mends a link, by its name. */
  mend: 7_365_006,
  /** At home: who makes or takes apart a database that placements share, by its id. */
  sharedDatabase: 7_365_007,
  /** At home, for a transaction: who sends mails, and to which address. */
  mails: 7_365_008,
  /** In a server's maintenance database, for a transaction: who writes which home owns the server. */
  marks: 7_365_009,
} as const;

type Lock = (typeof LOCK_CLASS)[keyof typeof LOCK_CLASS];

/** Takes the lock for this session; false when another session has it. Taken twice it must be released twice. */
export async function tryLock(session: Session<DatabaseKind>, lock: Lock, name: string): Promise<boolean> {
  const [row] = await session.query<{ taken: boolean }>(
    "lock.try",
    "select pg_try_advisory_lock($1, hashtext($2)) as taken",
    [lock, name],
  );
  return row?.taken === true;
}

export async function unlock(session: Session<DatabaseKind>, lock: Lock, name: string): Promise<void> {
  await session.query("lock.release", "select pg_advisory_unlock($1, hashtext($2))", [lock, name]);
}

/** Runs `work` with the lock, after waiting for it up to `timeoutMs`; later than that rejects with SQLSTATE 55P03. */
export function whileLocked<Kind extends DatabaseKind, Result>(
  database: Database<Kind>,
  lock: Lock,
  name: string,
  timeoutMs: number,
  work: () => Promise<Result>,
): Promise<Result> {
  return database.session(async (session) => {
    await session.query("lock.timeout", `set lock_timeout = ${timeoutMs}`);
    await session.query("lock.wait", "select pg_advisory_lock($1, hashtext($2))", [lock, name]);
    const result = await work();
    await unlock(session, lock, name);
    await session.query("lock.timeout", "reset lock_timeout");
    return result;
  });
}
