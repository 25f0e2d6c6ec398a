/**
 * Advisory locks of a session, by a class and a name. They end with the session, however that ends. All classes of the
 * program stand here, as two uses of one number would wait for each other. Locks are per database.
 */
import { type Call, currentCall, inCallToo, outsideCalls } from "#base/kernel/call";
import { waitFor } from "#base/kernel/wait";
import type { Database, DatabaseKind, Queryable, Session } from "#base/postgres/database";
import { whileHeld } from "#base/postgres/held-session";
import { quoteLiteral } from "#base/postgres/identifiers";
import { SQL_STATE } from "#base/postgres/sql-state";

export const LOCK_CLASS = {
  /** At home: who carries a region, by its id. */
  region: 7_365_003,
  /** At home: who makes the template of a region's server, by its host and port. */
  template: 7_365_002,
  /** At home: who runs jobs on a subject. */
  jobSubject: 7_365_004,
  /** At home: one of the slots for jobs on a region's server, by region and index. */
  serverSlot: 7_365_005,
  /** At home: who mends a link, by its name. */
  mend: 7_365_006,
  /** At home: who makes or takes apart a database that placements share, by its id. */
  sharedDatabase: 7_365_007,
  /** At home, for a transaction: who sends mails, and to which address. */
  mails: 7_365_008,
  /** In a database of a server, for a transaction: who changes the API's role and may make no other. */
  apiRole: 7_365_009,
  /** Where a link's copy is: who seeds it, by the link's name. */
  seed: 7_365_010,
  /** At home, shared: a worker that is up runs jobs on a region, by its key, or on all of them. */
  workerRegion: 7_365_013,
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

/** Takes the lock for this session beside whoever has it in the same way. It says that the session is there. */
export async function shareLock(session: Session<DatabaseKind>, lock: Lock, name: string): Promise<void> {
  await session.query("lock.share", "select pg_advisory_lock_shared($1, hashtext($2))", [lock, name]);
}

/** Which of these locks somebody has now, in this database. Also for whoever may take none. */
export async function findLocked(
  database: Queryable<DatabaseKind>,
  lock: Lock,
  names: readonly string[],
): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "lock.find",
    `select n.name from unnest($2::text[]) as n (name)
     where exists (select from pg_catalog.pg_locks l where l.locktype = 'advisory' and l.granted and l.objsubid = 2
       and l.classid = $1::int::oid and l.objid = hashtext(n.name)::oid
       and l.database = (select oid from pg_catalog.pg_database where datname = current_database()))`,
    [lock, names],
  );
  return rows.map(({ name }) => name);
}

export async function unlock(session: Session<DatabaseKind>, lock: Lock, name: string): Promise<void> {
  await session.query("lock.release", "select pg_advisory_unlock($1, hashtext($2))", [lock, name]);
}

/**
 * SQL that takes the lock for this session from whoever has it there still, by ending their sessions as far as the role may; its
 * last statement gives `taken`. For a lock that only what was left behind can have. {@link releaseSql} gives it back.
 */
export function seizeSql(lock: Lock, name: string): string {
  const key = `hashtext(${quoteLiteral(name)})`;
  return `select pg_terminate_backend(l.pid, 5000) from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.classid = ${lock} and l.objid = ${key}::oid and l.objsubid = 2 and l.granted
      and l.database = (select oid from pg_database where datname = current_database())
      and l.pid <> pg_backend_pid() and a.usename = current_user;
  select pg_try_advisory_lock(${lock}, ${key}) as taken`;
}

export function releaseSql(lock: Lock, name: string): string {
  return `select pg_advisory_unlock(${lock}, hashtext(${quoteLiteral(name)}))`;
}

/** Another had the lock for too long. As the server says it. */
class LockNotAvailable extends Error {
  readonly code = SQL_STATE.lockNotAvailable;

  constructor(timeoutMs: number) {
    super(`a lock was not free within ${timeoutMs} ms`);
    this.name = "LockNotAvailable";
  }
}

/**
 * Runs `work` with the lock, after waiting for it up to `timeoutMs`; later than that rejects with SQLSTATE 55P03. All locks of
 * a database that a process holds or waits for in this way share one session. So nobody keeps a connection while they
 * ask for another, and however many wait, there is a connection for the one that has the lock. `work` is part of a call that ends when
 * the session is lost.
 */
export function whileLocked<Kind extends DatabaseKind, Result>(
  database: Database<Kind>,
  lock: Lock,
  name: string,
  timeoutMs: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const desk = desks.get(database) ?? new LockDesk(database);
  desks.set(database, desk);
  return desk.whileLocked(lock, name, timeoutMs, work);
}

const desks = new WeakMap<Database<DatabaseKind>, LockDesk>();

/** First pause between two looks at a lock that another process has; doubles up to the maximum. */
const LOOK_MS = 10;
const MAX_LOOK_MS = 100;

type Opened = { session: Session<DatabaseKind>; call: Call; close: () => void };

/** A session from when it is asked for until its last user is done. One that was lost may have users for a while still. */
type Desk = {
  readonly opened: Promise<Opened>;
  /** What is held or asked for there: the server gives a session a lock that it has once more. */
  readonly taken: Set<string>;
  users: number;
};

class LockDesk {
  readonly #database: Database<DatabaseKind>;
  /** The one for whoever comes next. */
  #desk: Desk | undefined;

  constructor(database: Database<DatabaseKind>) {
    this.#database = database;
  }

  async whileLocked<Result>(lock: Lock, name: string, timeoutMs: number, work: () => Promise<Result>): Promise<Result> {
    this.#desk ??= outsideCalls(() => this.#open());
    const desk = this.#desk;
    desk.users += 1;
    try {
      const { session, call } = await desk.opened;
      const key = `${lock} ${name}`;
      const take = async () =>
        (await takeOnce(desk.taken, key, () => tryLock(session, lock, name))) ? true : undefined;
      const taken = await waitFor(take, { timeoutMs, pauseMs: LOOK_MS, maxPauseMs: MAX_LOOK_MS, ...currentCall() });
      if (taken === undefined) throw new LockNotAvailable(timeoutMs);
      try {
        return await inCallToo(call, work);
      } finally {
        // With a session that is lost, its locks are.
        await unlock(session, lock, name).catch(() => undefined);
        desk.taken.delete(key);
      }
    } finally {
      desk.users -= 1;
      if (desk.users === 0) {
        if (this.#desk === desk) this.#desk = undefined;
        await desk.opened.then(
          ({ close }) => close(),
          () => undefined,
        );
      }
    }
  }

  #open(): Desk {
    const opened = Promise.withResolvers<Opened>();
    const closed = Promise.withResolvers<void>();
    const held = whileHeld(this.#database, (session, call) => {
      opened.resolve({ session, call, close: closed.resolve });
      return closed.promise;
    });
    const desk: Desk = { opened: opened.promise, taken: new Set(), users: 0 };
    held.catch((error: unknown) => {
      opened.reject(error);
      // Whoever comes next opens another one.
      if (this.#desk === desk) this.#desk = undefined;
    });
    return desk;
  }
}

/** False at once where this process has it or asks for it already. */
async function takeOnce(taken: Set<string>, key: string, ask: () => Promise<boolean>): Promise<boolean> {
  if (taken.has(key)) return false;
  taken.add(key);
  let isTaken = false;
  try {
    isTaken = await ask();
  } finally {
    if (!isTaken) taken.delete(key);
  }
  return isTaken;
}
