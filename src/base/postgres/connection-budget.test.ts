import fc from "fast-check";
import { expect, test } from "vitest";
import { ConnectionBudget, type Pooled, Share } from "#base/postgres/connection-budget";

type Client = { pool: FakePool };

/** Makes connections when the test says so, or at once. */
class FakePool implements Pooled<Client> {
  readonly share: Share<Client>;
  readonly idle: Client[] = [];
  readonly connecting: PromiseWithResolvers<Client>[] = [];
  readonly #budget: ConnectionBudget<Client>;
  readonly #atOnce: boolean;
  open = 0;

  constructor(budget: ConnectionBudget<Client>, server: string, atOnce: boolean) {
    this.#budget = budget;
    this.#atOnce = atOnce;
    this.share = new Share(server, 4, this);
  }

  get idleCount(): number {
    return this.idle.length;
  }

  async connect(): Promise<Client> {
    await Promise.resolve();
    const found = this.idle.pop();
    if (found !== undefined) return found;
    const made = Promise.withResolvers<Client>();
    this.connecting.push(made);
    if (this.#atOnce) this.finish();
    return made.promise;
  }

  finish(): void {
    const made = this.connecting.shift();
    if (made === undefined) return;
    this.open += 1;
    this.#budget.opened(this.share);
    made.resolve({ pool: this });
  }

  fail(): void {
    this.connecting.shift()?.reject(new Error("refused"));
  }

  release(client: Client): void {
    this.idle.push(client);
    this.#budget.released(this.share);
  }

  end(_client: Client): void {
    this.open -= 1;
    this.#budget.ended(this.share);
  }
}

const LIMITS = { max: 6, maxPerServer: 4, maxConnecting: 2, maxWaitMs: 60_000 };

function setUp(servers: string[], { limits = LIMITS, now = () => performance.now(), atOnce = true } = {}) {
  const budget = new ConnectionBudget<Client>(limits, now);
  const pools = servers.map((server) => new FakePool(budget, server, atOnce));
  const [first] = pools;
  if (first === undefined) throw new Error("there is no pool");
  return { budget, pools, first };
}

/** Until everything that can go on has gone on. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const untilIdle = async () => {
  for (let index = 0; index < 5; index += 1) await turn();
};

test("whatever happens, bounds are kept and nothing is lost", async () => {
  const step = fc.record({
    what: fc.constantFrom(
      "take",
      "take",
      "take",
      "release",
      "release",
      "finish",
      "finish",
      "fail",
      "end",
      "abort",
      "wait",
    ),
    which: fc.nat({ max: 50 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120 }), async (steps) => {
      let now = 0;
      const { budget, pools } = setUp(["a", "a", "a", "b", "b"], { now: () => now, atOnce: false });
      const used: Client[] = [];
      let strangers = 0;
      const callers: { stop: AbortController; done: boolean }[] = [];
      const check = () => {
        const counts = pools.map((pool) => pool.open + pool.connecting.length);
        expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(LIMITS.max);
        for (const server of ["a", "b"]) {
          const own = pools.filter(({ share }) => share.server === server);
          expect(own.reduce((sum, pool) => sum + pool.open + pool.connecting.length, 0)).toBeLessThanOrEqual(4);
          expect(own.reduce((sum, pool) => sum + pool.connecting.length, 0)).toBeLessThanOrEqual(2);
        }
      };
      for (const { what, which } of steps) {
        const pool = pools[which % pools.length];
        if (pool === undefined) return;
        if (what === "take") {
          const caller = { stop: new AbortController(), done: false };
          callers.push(caller);
          budget.take(pool.share, caller.stop.signal).then(
            (client) => {
              caller.done = true;
              if (client.pool !== pool) strangers += 1;
              used.push(client);
            },
            () => {
              caller.done = true;
            },
          );
        } else if (what === "release") {
          const [client] = used.splice(which % Math.max(1, used.length), 1);
          client?.pool.release(client);
        } else if (what === "finish") pool.finish();
        else if (what === "fail") pool.fail();
        else if (what === "end") {
          // One that its pool has kept idle for too long.
          const client = pool.idle.pop();
          if (client !== undefined) pool.end(client);
        } else if (what === "abort") callers[which % Math.max(1, callers.length)]?.stop.abort(new Error("gone"));
        else now += which;
        await untilIdle();
        check();
      }
      // Everybody who waits is served in the end, once the others have what they came for.
      for (let round = 0; round < 400 && callers.some(({ done }) => !done); round += 1) {
        now += 25;
        for (const pool of pools) pool.finish();
        for (const client of used.splice(0)) client.pool.release(client);
        await untilIdle();
        check();
      }
      expect(callers.filter(({ done }) => !done)).toHaveLength(0);
      expect(strangers).toBe(0);
      for (const pool of pools) while (pool.connecting.length > 0) pool.finish();
      await untilIdle();
      expect(budget.permits).toBe(pools.reduce((sum, pool) => sum + pool.open, 0));
    }),
    { numRuns: 300 },
  );
}, 60_000);

test("a cold database is served after a few of a hot one's, however many wait there", async () => {
  let now = 0;
  const { budget, pools, first } = setUp(["a", "a"], { limits: { ...LIMITS, max: 3 }, now: () => now });
  const cold = pools[1] as FakePool;
  let hot = 0;
  const use = async () => {
    const client = await budget.take(first.share);
    hot += 1;
    await turn();
    client.pool.release(client);
  };
  const all = Promise.all(Array.from({ length: 100 }, use));
  await untilIdle();
  const before = hot;
  const served = budget.take(cold.share);
  now += 20;
  await served;
  expect(hot - before).toBeLessThan(15);
  const client = await served;
  client.pool.release(client);
  await all;
  expect(budget.most).toBe(3);
});

test("the database that was used longest ago gives up its connection", async () => {
  const { budget, pools } = setUp(["a", "a", "a", "a"], { limits: { ...LIMITS, max: 3 } });
  for (const pool of pools.slice(0, 3)) pool.release(await budget.take(pool.share));
  const again = pools[0] as FakePool;
  again.release(await budget.take(again.share));
  await budget.take((pools[3] as FakePool).share);
  expect(pools.map(({ open }) => open)).toEqual([1, 0, 1, 1]);
});

test("who waits too long is told so, and who has gone is not waited for", async () => {
  const limits = { ...LIMITS, max: 1, maxWaitMs: 20 };
  const { budget, first } = setUp(["a"], { limits });
  let client = await budget.take(first.share);
  await expect(budget.take(first.share)).rejects.toThrow("timeout exceeded when trying to connect");
  // Others come first, and the queue moves on.
  const others = budget.take(first.share);
  const late = budget.take(first.share);
  first.release(client);
  client = await others;
  await expect(late).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", retryAfterSeconds: 1 });
  const gone = new AbortController();
  const waiting = budget.take(first.share, gone.signal);
  gone.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  expect(budget.hasWaiting).toBe(false);
  first.release(client);
  expect(await budget.take(first.share)).toBe(client);
});

test("a connection that cannot be made fails its caller and gives the permit back", async () => {
  const { budget, first } = setUp(["a"], { limits: { ...LIMITS, max: 1 }, atOnce: false });
  const failing = budget.take(first.share);
  const next = budget.take(first.share);
  await untilIdle();
  first.fail();
  await expect(failing).rejects.toThrow("refused");
  await untilIdle();
  first.finish();
  expect(await next).toMatchObject({ pool: first });
  expect(budget.permits).toBe(1);
});

test("a server is not to blame where another one holds all the permits", async () => {
  const { budget, pools, first } = setUp(["a", "b"], { limits: { ...LIMITS, max: 2, maxWaitMs: 20 } });
  for (const _ of [1, 2]) await budget.take(first.share);
  await expect(budget.take((pools[1] as FakePool).share)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
  await expect(budget.take(first.share)).rejects.toThrow("timeout exceeded when trying to connect");
});
