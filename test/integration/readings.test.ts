/** What an operator must know, read once for everybody: from servers that are there, that are away, and that hang. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { TENANT_SCHEMA } from "#app/schema";
import { OPERATOR } from "#engine/auth/actor";
import { latestOf } from "#engine/migrations/schema-version";
import type { ServerReading } from "#engine/readings/reading";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { addDatabases } from "../support/fleet.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { createOrganization, createUser, addMember, grant, registerRegion } from "../support/journey.ts";
import { recordStatements } from "../support/statements.ts";

/** A reading serves for 1.5 s; whoever wants a newer one waits for it. */
const ANEW = { timeout: 20_000, interval: 100 };

let app: TestApp;
let forwarder: Forwarder;
let organization: string;

beforeAll(async () => {
  // Databases are added without links below, which nothing is to mend.
  app = await startApp({ replication: { sweepIntervalMs: 600_000 } });
  forwarder = await startForwarder(serverUrl("us"));
  organization = await createOrganization(app, "Read");
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", viaPort(serverUrl("us"), forwarder.port));
  for (const region of ["eu", "us"]) await grant(app, organization, region);
}, 60_000);
afterAll(async () => {
  await app.stop();
  await forwarder[Symbol.asyncDispose]();
});

const readings = () => app.services.readings;

async function serverNamed(name: string): Promise<ServerReading | undefined> {
  return (await readings().servers(OPERATOR)).find((server) => server.name === name);
}

describe("servers", () => {
  test("say what they are, what they have room for, and since when they can be reached", async () => {
    const servers = await readings().servers(OPERATOR);
    expect(servers.map(({ name }) => name)).toEqual(["home", "eu", "us"]);
    for (const server of servers) {
      expect(server).toMatchObject({ isUp: true, breaker: "closed", problem: null });
      expect(server.version).toMatch(/^1\d\.\d+$/);
      expect(server.since).toBeInstanceOf(Date);
      expect(Math.abs(server.clockAheadSeconds ?? 99)).toBeLessThan(5);
      expect(server.limits.map(({ kind }) => kind).toSorted()).toEqual([
        "connections",
        "databases",
        "logical_workers",
        "origins",
        "slots",
        "walsenders",
        "worker_processes",
      ]);
      const slots = server.limits.find(({ kind }) => kind === "slots");
      expect(slots?.ours).toBeGreaterThan(0);
      expect(slots?.left).toBeGreaterThan(0);
    }
    await expect.poll(async () => (await serverNamed("eu"))?.isCarried, ANEW).toBe(true);
    expect((await serverNamed("home"))?.isCarried).toBeNull();
  });

  test("that go away are down with the reason, and up again when they are back", async () => {
    await forwarder.shut();
    await expect.poll(async () => (await serverNamed("us"))?.isUp, ANEW).toBe(false);
    const away = await serverNamed("us");
    expect(away).toMatchObject({ version: null, clockAheadSeconds: null, limits: [] });
    expect(away?.breaker).not.toBe("closed");
    expect(away?.problem).toContain("the server of region us cannot be read");
    expect((await serverNamed("eu"))?.isUp).toBe(true);
    const links = (await readings().links(OPERATOR)).links.filter(({ region }) => region === "us");
    expect(links.map(({ state, lagBytes, retainedBytes }) => ({ state, lagBytes, retainedBytes }))).toEqual([
      { state: "unknown", lagBytes: null, retainedBytes: null },
      { state: "unknown", lagBytes: null, retainedBytes: null },
    ]);
    await forwarder.open();
    await expect.poll(async () => (await serverNamed("us"))?.isUp, ANEW).toBe(true);
    expect((await serverNamed("us"))?.breaker).toBe("closed");
  });

  test("that hang are down by the deadline, and are not asked again while they hang", async () => {
    expect((await serverNamed("us"))?.isUp).toBe(true);
    using _ = forwarder.swallow();
    await expect.poll(async () => (await serverNamed("us"))?.isUp, ANEW).toBe(false);
    using statements = recordStatements();
    await Promise.all([1, 2, 3].map(() => readings().servers(OPERATOR)));
    const probes = statements.sent.filter(({ name }) => name === "probe");
    expect(probes.length).toBeLessThanOrEqual(2);
  });
});

describe("links", () => {
  test("tell how they are, what is kept for them, and how often they were woken and seeded", async () => {
    const user = await createUser(app);
    await addMember(app, organization, user);
    const { databaseId } = (await readings().links(OPERATOR)).links.find(({ region }) => region === "eu") ?? {};
    await app.services.nudges.carry([{ databaseId: databaseId ?? 0, direction: "directory" }], 20_000);
    const directory = async () =>
      (await readings().links(OPERATOR)).links.find(
        (link) => link.databaseId === databaseId && link.direction === "directory",
      );
    await expect.poll(async () => (await directory())?.wakes, ANEW).toBeGreaterThan(0);
    await expect.poll(async () => (await directory())?.state, ANEW).toBe("parked");
    const link = await directory();
    expect(link).toMatchObject({ region: "eu", seeds: 1, lagBytes: 0, lagSeconds: 0, refusedRows: 0, problem: null });
    expect(link?.parkedAt).toBeInstanceOf(Date);
    expect(link?.retainedBytes).toBeGreaterThanOrEqual(0);
  });

  test("of forty more databases cost no more statements", async () => {
    const count = async () => {
      const before = (await readings().links(OPERATOR)).readAt;
      using statements = recordStatements();
      await expect
        .poll(async () => (await readings().links(OPERATOR)).readAt.getTime(), ANEW)
        .toBeGreaterThan(before.getTime());
      return statements.sent.filter(({ name }) => name.startsWith("survey.")).length;
    };
    const few = await count();
    await addDatabases(app, "eu", serverUrl("eu"), 40);
    await expect.poll(async () => (await readings().links(OPERATOR)).links.length, ANEW).toBe(84);
    expect(await count()).toBe(few);
  }, 60_000);
});

describe("counts", () => {
  test("of jobs go by kind and state, and leave out what is done", async () => {
    // Nothing runs jobs there.
    const quiet = await startApp({ role: "api" });
    onTestFinished(() => quiet.stop());
    await sql(
      quiet.databaseUrl,
      `insert into tenantry.jobs (id, kind, subject, requested_by, state, attempts, last_error, due_at) values
         (gen_random_uuid(), 'erase-user', 'a', 'operator', 'WAITING', 3, 'It failed.', now() + interval '1 hour'),
         (gen_random_uuid(), 'erase-user', 'b', 'operator', 'WAITING', 0, null, now() - interval '90 seconds'),
         (gen_random_uuid(), 'erase-user', 'c', 'operator', 'FAILED', 5, 'It failed.', now()),
         (gen_random_uuid(), 'erase-user', 'd', 'operator', 'DONE', 1, null, now())`,
    );
    const { jobs } = await quiet.services.readings.jobs(OPERATOR);
    expect(jobs).toEqual([
      { kind: "erase-user", state: "FAILED", jobs: 1, failing: 1, mostAttempts: 5, oldestDueSeconds: 0 },
      {
        kind: "erase-user",
        state: "WAITING",
        jobs: 2,
        failing: 1,
        mostAttempts: 3,
        oldestDueSeconds: expect.any(Number),
      },
    ]);
    expect(jobs[1]?.oldestDueSeconds).toBeGreaterThanOrEqual(90);
  });

  test("of placements go by region, state and version", async () => {
    const { placements } = await readings().placements(OPERATOR);
    const us = placements.filter(({ region }) => region === "us");
    expect(us).toEqual([
      {
        regionId: expect.any(String),
        region: "us",
        state: "ACTIVE",
        schemaVersion: latestOf(TENANT_SCHEMA),
        isLatest: true,
        placements: 1,
      },
    ]);
  });
});

test("nobody but the operator may read", async () => {
  const actor = { kind: "user", userId: "01900000-0000-7000-8000-000000000000" } as const;
  const all = readings();
  for (const read of [all.servers, all.links, all.jobs, all.placements])
    await expect(read(actor)).rejects.toThrow("Only the operator may do this.");
});
