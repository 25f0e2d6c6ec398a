import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Attempt, FleetExecutor } from "#engine/fleet/fleet-executor";
import { isBeyond, type SchemaVersion } from "#engine/migrations/schema-version";
import { failuresAllowed, type FleetDatabase, nextToStart, planFleet } from "#engine/fleet/fleet-plan";

const at = (total: number): SchemaVersion => ({ engine: 1, app: total - 1 });
const version = (...totals: (number | null)[]) =>
  fc.constantFrom(...totals.map((total) => (total === null ? null : at(total))));
const TARGET = at(3);
const options = {
  target: TARGET,
  canariesPerRegion: 1,
  waveShares: [0.1, 1],
  verify: false,
  unreachable: new Set<string>(),
};

const databases = fc
  .array(
    fc.record({
      regionKey: fc.constantFrom("eu", "us", "ap"),
      version: version(null, 1, 2, 3, 4),
      migratingTo: version(null, null, null, 3, 4),
      sizeBytes: fc.nat(1_000),
    }),
    { maxLength: 60 },
  )
  .map((rows) => rows.map((row, index): FleetDatabase => ({ ...row, id: index + 1, name: `db_${index + 1}` })));
const planOptions = fc.record({
  target: fc.constant(TARGET),
  canariesPerRegion: fc.nat(3),
  waveShares: fc.constantFrom([1], [0.1, 1], [0.05, 0.3, 1], [0.5, 0.2, 1]),
  verify: fc.boolean(),
  unreachable: fc.constantFrom(new Set<string>(), new Set(["us"])),
});

const database = (id: number, changes: Partial<FleetDatabase> = {}): FleetDatabase => ({
  id,
  name: `db_${id}`,
  regionKey: "eu",
  version: at(2),
  migratingTo: null,
  ...changes,
});

describe("a plan", () => {
  test("has every database once, and those that are due are not left out", () => {
    fc.assert(
      fc.property(databases, planOptions, (given, chosen) => {
        const { canaries, waves, skipped } = planFleet(given, chosen);
        const planned = [...canaries, ...waves.flat()];
        const all = [...planned, ...skipped.map((one) => one.database)].map(({ id }) => id);
        expect(all.toSorted((a, b) => a - b)).toEqual(given.map(({ id }) => id));
        for (const one of planned)
          expect([one.version ?? at(9), one.migratingTo ?? at(1)].some((found) => isBeyond(found, TARGET))).toBe(false);
        const upToDate = skipped.filter(({ reason }) => reason === "up-to-date").map((one) => one.database);
        expect(upToDate.every(({ version: found, migratingTo }) => found?.app === 2 && migratingTo === null)).toBe(
          true,
        );
      }),
    );
  });

  test("begins with canaries of every region that has something due", () => {
    fc.assert(
      fc.property(databases, planOptions, (given, chosen) => {
        const { canaries, waves } = planFleet(given, chosen);
        for (const region of new Set(waves.flat().map(({ regionKey }) => regionKey)))
          expect(canaries.filter(({ regionKey }) => regionKey === region).length).toBe(chosen.canariesPerRegion);
      }),
    );
  });

  test("says why a database is left out", () => {
    const given = [
      database(1, { version: at(3) }),
      database(2, { version: at(4) }),
      database(3, { version: null }),
      database(4, { regionKey: "us" }),
      database(5, { version: at(3), migratingTo: at(3) }),
    ];
    const { canaries, skipped } = planFleet(given, { ...options, unreachable: new Set(["us"]) });
    expect(skipped.map(({ reason }) => reason)).toEqual(["up-to-date", "newer", "being-made", "unreachable"]);
    expect(canaries.map(({ id }) => id)).toEqual([5]);
  });

  test("takes small databases first, and servers in turn", () => {
    const given = [
      database(1, { sizeBytes: 9 }),
      database(2, { sizeBytes: 1 }),
      database(3, { sizeBytes: 5 }),
      database(4, { regionKey: "us" }),
      database(5, { regionKey: "us" }),
    ];
    const { canaries, waves } = planFleet(given, { ...options, waveShares: [1] });
    expect(canaries.map(({ id }) => id)).toEqual([2, 4]);
    expect(waves.flat().map(({ id }) => id)).toEqual([3, 5, 1]);
  });
});

test("no more run at once than the limits say, and all come to their turn", async () => {
  await fc.assert(
    fc.asyncProperty(
      databases,
      planOptions,
      fc.record({ total: fc.integer({ min: 1, max: 6 }), perServer: fc.integer({ min: 1, max: 3 }) }),
      async (given, chosen, limits) => {
        const plan = planFleet(given, chosen);
        const due = plan.canaries.length + plan.waves.flat().length;
        const running: FleetDatabase[] = [];
        const begun: number[] = [];
        const executor = new FleetExecutor<null>(plan, {
          limits,
          maxFailureShare: 1,
          migrate: async (one) => {
            begun.push(one.id);
            running.push(one);
            expect(running.length).toBeLessThanOrEqual(limits.total);
            expect(running.filter(({ regionKey }) => regionKey === one.regionKey).length).toBeLessThanOrEqual(
              limits.perServer,
            );
            for (let turn = 0; turn < one.id % 4; turn += 1) await Promise.resolve();
            running.splice(running.indexOf(one), 1);
            return { kind: "done", result: null };
          },
        });
        await executor.runCanaries();
        expect(begun.toSorted((a, b) => a - b).slice(0, plan.canaries.length)).toEqual(
          plan.canaries.map(({ id }) => id).toSorted((a, b) => a - b),
        );
        await executor.runWaves();
        expect(executor.outcome().done.length).toBe(due);
        expect(new Set(begun).size).toBe(due);
        expect(begun.length).toBe(due);
      },
    ),
    { numRuns: 60 },
  );
});

describe("an execution", () => {
  const fleet = Array.from({ length: 41 }, (_, index) =>
    database(index + 1, { regionKey: index % 2 === 0 ? "eu" : "us" }),
  );
  const run = async (
    attempt: (one: FleetDatabase, last: boolean) => Attempt<null>,
    { maxFailureShare = 0.1, total = 4 } = {},
  ) => {
    const order: number[] = [];
    const executor = new FleetExecutor<null>(planFleet(fleet, options), {
      limits: { total, perServer: 2 },
      maxFailureShare,
      migrate: async (one, { last }) => {
        order.push(one.id);
        return attempt(one, last);
      },
    });
    await executor.runCanaries();
    await executor.runWaves();
    return { ...executor.outcome(), order };
  };
  const done = { kind: "done", result: null } as const;

  test("ends when a canary fails", async () => {
    const { stopped, left, failed } = await run(({ id }) => (id === 1 ? { kind: "failed", reason: "no" } : done), {
      total: 1,
    });
    expect([stopped, left.length, failed.length]).toEqual(["The canary db_1 failed.", 40, 1]);
  });

  test("ends when more than the share has failed, not before", async () => {
    const few = await run(({ id }) => (id > 36 && id < 41 ? { kind: "failed", reason: "no" } : done));
    expect([few.stopped, few.failed.length]).toEqual([undefined, 4]);
    const many = await run(({ id }) => (id > 9 && id < 30 ? { kind: "failed", reason: "no" } : done), { total: 1 });
    expect([many.stopped, many.failed.length]).toEqual(["5 of 41 failed, more than the 4 allowed.", 5]);
    expect(many.left.length).toBeGreaterThan(20);
  });

  test("tries what was blocked again when all others are done", async () => {
    const { order, failed, stopped } = await run(({ id }, last) =>
      id === 7 && !last ? { kind: "blocked", reason: "locked" } : done,
    );
    expect([order.at(-1), failed, stopped]).toEqual([7, [], undefined]);
  });

  test("asks a server that does not answer once, and again at the end", async () => {
    const { order, done: finished } = await run(
      ({ regionKey }, last) => (regionKey === "us" && !last ? { kind: "unreachable", reason: "away" } : done),
      { total: 1 },
    );
    expect(finished.length).toBe(41);
    expect(order.slice(0, 22).filter((id) => id % 2 === 0)).toEqual([2]);
  });

  test("another takes the place of canaries that could not be tried", async () => {
    const { stopped, order } = await run(({ id }) =>
      id <= 2 ? { kind: "blocked", reason: "locked" } : id === 3 ? { kind: "failed", reason: "no" } : done,
    );
    expect([stopped, order.slice(0, 3)]).toEqual(["The canary db_3 failed.", [1, 2, 3]]);
  });
});

test("the next to start is the first whose server has room", () => {
  const waiting = [database(1), database(2, { regionKey: "us" })];
  expect(nextToStart(waiting, [], { total: 2, perServer: 1 })).toBe(0);
  expect(nextToStart(waiting, [database(3)], { total: 2, perServer: 1 })).toBe(1);
  expect(nextToStart(waiting, [database(3)], { total: 1, perServer: 1 })).toBeUndefined();
});

test("one may fail unless none may", () => {
  expect([failuresAllowed(5, 0.1), failuresAllowed(200, 0.1), failuresAllowed(200, 0)]).toEqual([1, 20, 0]);
});
