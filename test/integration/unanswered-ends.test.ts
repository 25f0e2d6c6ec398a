/** A server that stops answering just when a transaction is to end: nobody waits for it for ever, and its connection goes. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { COMMIT_TIMEOUT_MS, ROLLBACK_TIMEOUT_MS } from "../../src/base/postgres/cancellation.ts";
import { parseDatabaseUrl } from "../../src/base/postgres/connection-url.ts";
import type { Database } from "../../src/base/postgres/database.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { isConnectionFailure } from "../../src/base/postgres/sql-state.ts";
import { explainToCaller } from "../../src/engine/failures/explain.ts";
import { serverUrl } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";

/** What whoever called is told where it may have been done all the same. */
const UNKNOWN = {
  code: "HOME_UNAVAILABLE",
  message: expect.stringMatching(/may have happened: look whether it has, before you do it again\.$/),
  retryAfterSeconds: undefined,
};

/** What the sockets have is dealt with. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const pools = new Pools(() => undefined);
let forwarder: Forwarder;
let far: Database<"home">;

beforeAll(async () => {
  const url = `${serverUrl("home")}/postgres`;
  forwarder = await startForwarder(url);
  const { address, database } = parseDatabaseUrl(viaPort(url, forwarder.port), "url");
  far = pools.open("home", address, database);
});
afterEach(() => vi.useRealTimers());
afterAll(async () => {
  await pools.close();
  await forwarder[Symbol.asyncDispose]();
});

/** From now on the server does not answer. Time passes only as the test says. */
function fallSilent(): Disposable {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  return forwarder.swallow("both");
}

/** What comes of it when the time is over that the server has for its answer. */
async function after<Result>(timeoutMs: number, running: Promise<Result>): Promise<unknown> {
  const outcome = running.then(
    () => "done",
    (error: unknown) => error,
  );
  await turn();
  await vi.advanceTimersByTimeAsync(timeoutMs);
  await turn();
  return Promise.race([outcome, Promise.resolve("waits")]);
}

async function worksAgain(silence: Disposable): Promise<void> {
  vi.useRealTimers();
  silence[Symbol.dispose]();
  expect(far.isBusy).toBe(false);
  expect(await far.query<{ one: number }>("test.again", "select 1 as one")).toEqual([{ one: 1 }]);
}

test("a COMMIT that is not answered is a lost connection", async () => {
  const ended = Promise.withResolvers<Disposable>();
  const running = far.transaction(async (transaction) => {
    await transaction.query("test.work", "select");
    ended.resolve(fallSilent());
  });
  const silence = await ended.promise;
  const outcome = await after(COMMIT_TIMEOUT_MS, running);
  expect(outcome).toMatchObject({ message: expect.stringContaining("did not answer COMMIT") });
  expect(isConnectionFailure(outcome)).toBe(true);
  expect(explainToCaller(outcome)).toMatchObject(UNKNOWN);
  await worksAgain(silence);
});

test.each([
  ["writes by itself", "create temp table t as select pg_terminate_backend(pg_backend_pid())", UNKNOWN],
  ["only reads", "select pg_terminate_backend(pg_backend_pid())", { retryAfterSeconds: 1 }],
] as const)("a connection that is lost under a statement that %s", async (_, text, told) => {
  const outcome: unknown = await far.query("test.lost", text).catch((error: unknown) => error);
  expect(explainToCaller(outcome)).toMatchObject(told);
});

test("a connection that is lost before its transaction ends has done nothing", async () => {
  const outcome: unknown = await far
    .transaction((transaction) =>
      transaction.query("test.lost", "delete from pg_class where pg_terminate_backend(pg_backend_pid())"),
    )
    .catch((error: unknown) => error);
  expect(explainToCaller(outcome)).toMatchObject({ retryAfterSeconds: 1 });
});

test("a ROLLBACK that is not answered keeps nobody from hearing why the transaction failed", async () => {
  const ended = Promise.withResolvers<Disposable>();
  const running = far.transaction(async (transaction) => {
    await transaction.query("test.work", "select");
    ended.resolve(fallSilent());
    throw new Error("the work failed");
  });
  const silence = await ended.promise;
  expect(await after(ROLLBACK_TIMEOUT_MS, running)).toMatchObject({ message: "the work failed" });
  await worksAgain(silence);
});

test("the same holds for a connection that is lent", async () => {
  const lease = await far.lend([]);
  await lease.begin("");
  const silence = fallSilent();
  const outcome = await after(COMMIT_TIMEOUT_MS, lease.query({ text: "commit" }));
  expect(outcome).toMatchObject({ message: expect.stringContaining("did not answer COMMIT") });
  expect(explainToCaller(outcome)).toMatchObject(UNKNOWN);
  lease.giveBack();
  await turn();
  await worksAgain(silence);
});
