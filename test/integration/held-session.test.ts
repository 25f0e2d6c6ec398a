/** A session whose locks somebody relies on, and the ways in which it is lost. */
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseDatabaseUrl } from "../../src/base/postgres/connection-url.ts";
import type { Database } from "../../src/base/postgres/database.ts";
import { SessionLost, whileHeld } from "../../src/base/postgres/held-session.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { LOCK_CLASS, tryLock, whileLocked } from "../../src/base/postgres/session-lock.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { sqlState } from "../../src/base/postgres/sql-state.ts";
import { serverUrl } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { recordStatements } from "../support/statements.ts";

const TIMES = { beatMs: 50, heldMs: 600, endsAfterMs: 1_200 };
const NAME = "held-session.test";

const pools = new Pools(() => undefined);
let forwarder: Forwarder;
/** The same database: by way of the forwarder, and not. */
let far: Database<"home">;
let near: Database<"home">;
let rival: pg.Client;

beforeAll(async () => {
  const url = `${serverUrl("home")}/postgres`;
  forwarder = await startForwarder(url);
  const open = (to: string) => {
    const { address, database } = parseDatabaseUrl(to, "url");
    return pools.open("home", address, database);
  };
  far = open(viaPort(url, forwarder.port));
  near = open(url);
  rival = new pg.Client({ connectionString: url });
  await rival.connect();
});
afterAll(async () => {
  await rival.end();
  await pools.close();
  await forwarder[Symbol.asyncDispose]();
});

async function rivalTakes(): Promise<true | undefined> {
  const { rows } = await rival.query<{ taken: boolean }>("select pg_try_advisory_lock($1, hashtext($2)) as taken", [
    LOCK_CLASS.region,
    NAME,
  ]);
  return rows[0]?.taken === true ? true : undefined;
}

/** The ways in which connections die silently. */
type Death = "both" | "answers" | "forgotten";

function die(path: Forwarder, how: Death): Disposable {
  if (how !== "forgotten") return path.swallow(how);
  path.forget();
  return { [Symbol.dispose]: () => undefined };
}

/** Holds the lock and works on another connection until that is refused. */
function workUntilRefused() {
  const ready = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<unknown>();
  const state = { isRefused: false };
  const ended = whileHeld(
    far,
    async (session) => {
      if (!(await tryLock(session, LOCK_CLASS.region, NAME))) throw new Error("somebody else has the lock");
      for (;;)
        try {
          await near.query("work", "select");
          ready.resolve();
        } catch (error) {
          state.isRefused = true;
          refused.resolve(error);
          throw error;
        }
    },
    TIMES,
  ).catch((error: unknown) => error);
  return { ready: ready.promise, refused: refused.promise, ended, state };
}

test.each(["both", "answers", "forgotten"] as const)(
  "whoever holds a lock is stopped before another gets it, when its connection dies silently: %s",
  async (how) => {
    const work = workUntilRefused();
    await work.ready;
    expect(await rivalTakes()).toBeUndefined();
    using _ = die(forwarder, how);
    expect(await waitFor(rivalTakes, { timeoutMs: 10_000 })).toBe(true);
    expect(work.state.isRefused).toBe(true);
    expect(await work.ended).toBeInstanceOf(SessionLost);
    expect(await work.refused).toBeInstanceOf(SessionLost);
    await rival.query("select pg_advisory_unlock_all()");
  },
);

test("a process that was stopped for a while asks for nothing more under a lock that may be another's", async () => {
  using recorded = recordStatements();
  const asked = whileHeld(
    far,
    () =>
      near.session(async (own) => {
        await own.query("work.before", "select");
        // No timer runs meanwhile, nor before the next statement.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TIMES.heldMs + 100);
        return own.query("work.late", "select");
      }),
    TIMES,
  );
  await expect(asked).rejects.toBeInstanceOf(SessionLost);
  const names = recorded.sent.map(({ name }) => name);
  expect(names).toContain("work.before");
  expect(names).not.toContain("work.late");
});

test("a session that hears from its server is believed in for as long as the work takes", async () => {
  const over = performance.now() + 2 * TIMES.endsAfterMs;
  const done = await whileHeld(
    far,
    async () => {
      await waitFor(async () => (performance.now() > over ? true : undefined), { timeoutMs: 10_000 });
      return near.query("work", "select");
    },
    TIMES,
  );
  expect(done).toEqual([{}]);
  expect(await rivalTakes()).toBe(true);
  await rival.query("select pg_advisory_unlock_all()");
});

test("a statement that waits for somebody else is stopped before it costs the session", async () => {
  const done = await whileHeld(
    far,
    async (session) => {
      const failure: unknown = await session.query("slow", "select pg_sleep(10)").catch((error: unknown) => error);
      return [sqlState(failure), await session.query<{ one: number }>("work", "select 1 as one")];
    },
    TIMES,
  );
  expect(done).toEqual(["57014", [{ one: 1 }]]);
  // The connection's next user has no such bound.
  expect(await far.query("test", "select current_setting('statement_timeout') as bound")).toEqual([{ bound: "0" }]);
});

test("many wait for locks while one works, on a pool of four", async () => {
  let most = 0;
  let now = 0;
  const work = () =>
    whileLocked(near, LOCK_CLASS.template, NAME, 20_000, async () => {
      now += 1;
      most = Math.max(most, now);
      await Promise.all(Array.from({ length: 4 }, () => near.query("work", "select pg_sleep(0.01)")));
      now -= 1;
    });
  await Promise.all(Array.from({ length: 12 }, work));
  expect(most).toBe(1);
});

test("a lock that another process has for too long is refused as the server would", async () => {
  await rival.query("select pg_advisory_lock($1, hashtext($2))", [LOCK_CLASS.template, NAME]);
  const waiting = whileLocked(near, LOCK_CLASS.template, NAME, 50, () => Promise.resolve());
  expect(sqlState(await waiting.catch((error: unknown) => error))).toBe("55P03");
  await rival.query("select pg_advisory_unlock_all()");
  expect(await whileLocked(near, LOCK_CLASS.template, NAME, 5_000, () => Promise.resolve("done"))).toBe("done");
});

test("a session for locks that was lost keeps the one after it neither open nor locked", async () => {
  const slow = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const holder = async () =>
    (
      await rival.query<{ pid: number }>("select pid from pg_locks where locktype = 'advisory' and classid = $1", [
        LOCK_CLASS.mend,
      ])
    ).rows[0]?.pid;
  const lost = whileLocked(near, LOCK_CLASS.mend, NAME, 5_000, () => {
    begun.resolve();
    return slow.promise;
  });
  await begun.promise;
  const before = await holder();
  await rival.query("select pg_terminate_backend($1)", [before]);
  // Whoever worked under the lock is still at it, and the server has given the lock back.
  const next = () =>
    whileLocked(near, LOCK_CLASS.mend, NAME, 5_000, async () => ((await holder()) === before ? undefined : true)).catch(
      () => undefined,
    );
  expect(await waitFor(next, { timeoutMs: 10_000 })).toBe(true);
  await expect.poll(() => near.isBusy).toBe(false);
  slow.resolve();
  await lost.catch(() => undefined);
});
