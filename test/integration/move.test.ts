/** An organization that moves to another tenant database while it is used. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type Callers, readComments, startCallers } from "../support/move-callers.ts";
import { eventCursor, follow, type Follower } from "../support/events.ts";
import { findDifferences, findUnrest } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

type ServerName = "eu" | "us";

/** Of its own: what is left on a server is looked at as a whole. */
let home: OwnServer;
const servers = new Map<string, OwnServer>();
let app: TestApp;
/** An API without the worker. */
let other: TestApp;
let ada: string;
let organization: string;
let callers: Callers | undefined;
let disarm: (() => void) | undefined;

const MOVES = { routesKeptMs: 200 };
/** Links that have much to carry on a busy machine rest soon all the same. */
const REPLICATION = {
  sweepIntervalMs: 300,
  carrier: { idleMs: 50, slowIdleMs: 1_000, stallMs: 1_500, retryMs: 50, maxRetryMs: 500 },
};

beforeAll(async () => {
  const [ownHome, eu, us] = await Promise.all([startServer(), startServer(), startServer()]);
  home = ownHome;
  servers.set("eu", eu).set("us", us);
  app = await startApp({ homeServer: home.url(), moves: MOVES, replication: REPLICATION });
  other = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  ada = await createUser(app, "Ada");
}, 60_000);
afterAll(async () => {
  await other.stop();
  await app.stop();
  for (const server of [home, ...servers.values()]) await server[Symbol.asyncDispose]();
});

function serverUrl(name: string): string {
  return servers.get(name)?.url() ?? "";
}
beforeEach(async () => {
  organization = await createOrganization(app, "Moving");
  await addMember(app, organization, ada);
});
afterEach(async () => {
  disarm?.();
  await callers?.stop();
  callers = undefined;
});

const MOVE =
  "mutation ($input: MovePlacementInput!) { movePlacement(input: $input) { id state move { step findings } } }";
const CANCEL = "mutation ($id: ID!) { cancelMove(placementId: $id) { state } }";
const PLACEMENT = `query ($id: ID!) { placement(id: $id) {
  state isolation region { key } database move { step rowsCopied bytesCopied heldWritesMs verifiedAt findings } } }`;

async function placementOf(id: string) {
  return (await app.ask(PLACEMENT, { id })).placement;
}

/** Waits until no move of the placement is under way. */
async function arrived(id: string, timeoutMs = 40_000) {
  const end = await eventually(async () => {
    const { state, move } = await placementOf(id);
    return state === "ACTIVE" && move === null;
  }, timeoutMs);
  if (!end) {
    const jobs = await sql(
      app.databaseUrl,
      "select kind, state, step, last_error from tenantry.jobs where placement_id = $1",
      [id],
    );
    throw new Error(`the move did not end: ${JSON.stringify([await placementOf(id), jobs])}`);
  }
  return placementOf(id);
}

async function nothingIsLeft(): Promise<void> {
  expect(await findOrphans(app.services)).toEqual([]);
  for (const server of ["eu", "us"] as const) {
    const names = await sql(
      `${serverUrl(server)}/postgres`,
      `select slot_name as name from pg_replication_slots where slot_name like '%\\_move\\_%'
       union all select subname from pg_subscription where subname like '%\\_move\\_%'`,
    );
    expect(names).toEqual([]);
  }
  const installation = {
    homeUrl: app.databaseUrl,
    regionUrl: (key: string, database = "postgres") => `${serverUrl(key)}/${database}`,
  };
  await expect.poll(() => findUnrest(installation), { timeout: 20_000 }).toEqual([]);
  await expect.poll(() => findDifferences(installation), { timeout: 20_000 }).toEqual([]);
}

/** The organization's rows of a table in a database. */
async function rowsIn(server: ServerName, database: string, table = "app.comments"): Promise<number> {
  const [row] = await sql<{ rows: number }>(
    `${serverUrl(server)}/${database}`,
    `select count(*)::int as rows from ${table} where organization_id = $1`,
    [organization],
  );
  return row?.rows ?? 0;
}

describe.each([
  { from: ["eu", "DEDICATED"], to: ["us", "DEDICATED"] },
  { from: ["eu", "SHARED"], to: ["us", "SHARED"] },
  { from: ["eu", "SHARED"], to: ["eu", "DEDICATED"] },
  { from: ["us", "DEDICATED"], to: ["us", "SHARED"] },
] as const)("from $from to $to", ({ from, to }) => {
  test("nothing is refused, lost or doubled, and nothing is left behind", async () => {
    const { id, database } = await grant(app, organization, from[0], from[1]);
    // Somebody else, who stays.
    const neighbour = await createOrganization(app, "Neighbour");
    await grant(app, neighbour, from[0], "SHARED");
    const staying = await createResource(app, { name: "Staying", organizationId: neighbour });
    const resourceId = await createResource(app, { name: "Moving", organizationId: organization }, ada);
    for (let turn = 0; turn < 20; turn += 1) await comment(app, resourceId, ada, `Before ${turn}`);
    const before = await readComments(app, resourceId);
    callers = startCallers([app, other], { resourceId, authorId: ada });
    const input = { placementId: id, regionKey: to[0], isolation: to[1] };
    const { movePlacement } = await app.ask(MOVE, { input });
    expect(movePlacement).toMatchObject({ id, state: "MOVING" });
    const there = await arrived(id);
    const since = callers.count();
    await eventually(async () => (callers?.count() ?? 0) > since + 20);
    await callers.stop();
    expect(callers.errors).toEqual([]);
    expect(there).toMatchObject({ region: { key: to[0] }, isolation: to[1] });
    for (const one of [app, other])
      expect(new Map([...before, ...callers.model])).toEqual(await readComments(one, resourceId));
    expect((await app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: staying })).resource.name).toBe(
      "Staying",
    );
    // A database of its own is gone.
    expect(from[1] === "SHARED" ? await rowsIn(from[0], database) : 0).toBe(0);
    expect(await rowsIn(to[0], there.database)).toBe(before.size + callers.model.size);
    await nothingIsLeft();
    const [receipt] = await sql<{ result: any }>(
      app.databaseUrl,
      "select result from tenantry.jobs where kind = 'move-placement' and placement_id = $1",
      [id],
    );
    expect(receipt?.result).toMatchObject({
      from: { region: from[0] },
      to: { region: to[0] },
      verifiedAt: expect.any(String),
    });
    expect(receipt?.result.heldWritesMs).toBeGreaterThan(0);
  }, 90_000);
});

async function placedWithComments(regionKey: "eu" | "us" = "eu", isolation: "DEDICATED" | "SHARED" = "DEDICATED") {
  const { id, database } = await grant(app, organization, regionKey, isolation);
  const resourceId = await createResource(app, { name: "Moving", organizationId: organization }, ada);
  for (let turn = 0; turn < 5; turn += 1) await comment(app, resourceId, ada, `Before ${turn}`);
  return { id, database, resourceId };
}

/** Stops the job at a failpoint; `stopped` is there when it stands, and `goOn` lets it go on. */
function stopAt(failpoint: string) {
  const stopped = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  disarm = armFailpoint(failpoint, async () => {
    stopped.resolve();
    await goOn.promise;
  });
  return { stopped: stopped.promise, goOn: goOn.resolve };
}

describe("calling it off", () => {
  test.each(["prepare", "copy", "follow", "compare"])(
    "after %s leaves the placement where it was",
    async (step) => {
      const { id, database, resourceId } = await placedWithComments();
      const before = await readComments(app, resourceId);
      const { stopped, goOn } = stopAt(`move-placement/${step}/after`);
      await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
      await stopped;
      callers = startCallers([app, other], { resourceId, authorId: ada, callers: 2 });
      const during = callers.count();
      await eventually(async () => (callers?.count() ?? 0) > during + 5);
      expect((await app.ask(CANCEL, { id })).cancelMove).toMatchObject({ state: "MOVING" });
      goOn();
      expect(await arrived(id)).toMatchObject({ region: { key: "eu" }, database });
      await callers.stop();
      expect(callers.errors).toEqual([]);
      expect(await readComments(app, resourceId)).toEqual(new Map([...before, ...callers.model]));
      await nothingIsLeft();
    },
    60_000,
  );

  test("is too late once the source is being removed, and pointless where nothing moves", async () => {
    const { id } = await placedWithComments();
    expect(await app.refuse(CANCEL, { id })).toMatchObject({ code: "CONFLICT" });
    await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
    await arrived(id);
    expect(await app.refuse(CANCEL, { id })).toMatchObject({ code: "CONFLICT" });
  }, 60_000);
});

describe("while the source is kept", () => {
  const keepSourceSeconds = 3_600;
  const kept = async (id: string) =>
    expect(
      await eventually(async () => (await placementOf(id)).move?.step === "KEEPING_SOURCE", 30_000),
      JSON.stringify(
        await sql(app.databaseUrl, "select kind, state, step, last_error from tenantry.jobs where placement_id = $1", [
          id,
        ]),
      ),
    ).toBe(true);

  test("what is written flows back, and moving back is a second switch", async () => {
    const { id, database, resourceId } = await placedWithComments();
    const before = await readComments(app, resourceId);
    callers = startCallers([app, other], { resourceId, authorId: ada });
    await app.ask(MOVE, { input: { placementId: id, regionKey: "us", keepSourceSeconds } });
    await kept(id);
    expect(await placementOf(id)).toMatchObject({ state: "ACTIVE", region: { key: "us" } });
    const there = await comment(app, resourceId, ada, "Written there");
    expect(
      await eventually(
        async () =>
          (await sql(`${serverUrl("eu")}/${database}`, "select from app.comments where id = $1", [there])).length === 1,
      ),
    ).toBe(true);
    await app.ask(CANCEL, { id });
    expect(await arrived(id)).toMatchObject({ region: { key: "eu" }, database });
    await callers.stop();
    expect(callers.errors).toEqual([]);
    expect(await readComments(app, resourceId)).toEqual(
      new Map([...before, ...callers.model, [there, "Written there"]]),
    );
    await nothingIsLeft();
  }, 90_000);

  test("it goes when its time is over", async () => {
    const { id, database, resourceId } = await placedWithComments("eu", "SHARED");
    const before = await readComments(app, resourceId);
    await grant(app, await createOrganization(app, "Neighbour"), "eu", "SHARED");
    await app.ask(MOVE, { input: { placementId: id, regionKey: "us", isolation: "DEDICATED", keepSourceSeconds } });
    await kept(id);
    expect(await rowsIn("eu", database)).toBe(before.size);
    await sql(app.databaseUrl, "update tenantry.moves set keep_until = now() where placement_id = $1", [id]);
    await sql(
      app.databaseUrl,
      "update tenantry.jobs set due_at = now() where kind = 'forget-source' and placement_id = $1",
      [id],
    );
    expect(await arrived(id)).toMatchObject({ region: { key: "us" } });
    expect(await rowsIn("eu", database)).toBe(0);
    expect(await rowsIn("eu", database, "tenantry.audit_log")).toBe(0);
    expect(await readComments(app, resourceId)).toEqual(before);
    await nothingIsLeft();
  }, 60_000);
});

describe("who follows comments", () => {
  const FOLLOW = `subscription ($id: ID!, $after: String) { commentAdded(resourceId: $id, after: $after) { body } }`;
  const bodies = (follower: Follower) => follower.messages.map(({ data }) => data.commentAdded.body as string);

  test("misses none over a move, each told once, and goes on with a cursor of before", async () => {
    const { id, resourceId } = await placedWithComments();
    const live = follow(other, FOLLOW, { id: resourceId, after: await eventCursor(app) });
    await expect
      .poll(() => comment(app, resourceId, ada, "First").then(() => bodies(live).length), { timeout: 10_000 })
      .toBeGreaterThan(0);
    const cut = follow(other, FOLLOW, { id: resourceId, after: live.cursor() });
    await comment(app, resourceId, ada, "Before the cut");
    await expect.poll(() => bodies(cut), { timeout: 10_000 }).toContain("Before the cut");
    const cursor = cut.cursor();
    await cut.cut();
    const missed = [await comment(app, resourceId, ada, "Missed before the move")];
    callers = startCallers([app, other], { resourceId, authorId: ada, callers: 2 });
    await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
    await arrived(id);
    await callers.stop();
    missed.push(await comment(app, resourceId, ada, "Missed after the move"));
    const back = follow(other, FOLLOW, { id: resourceId, after: cursor });
    await expect.poll(() => bodies(back), { timeout: 10_000 }).toContain("Missed after the move");
    await expect.poll(() => bodies(live), { timeout: 10_000 }).toContain("Missed after the move");
    const known = [...(await readComments(app, resourceId)).values()];
    // A comment that was changed or deleted since is told as it is, or not at all.
    for (const follower of [live, back]) {
      const told = bodies(follower);
      expect(told).toContain("Missed before the move");
      expect(told).not.toContain(undefined);
    }
    expect(bodies(back)).not.toContain("Before the cut");
    const unchanged = known.filter((body) => /^\d+\.\d+$/.test(body) && Number(body.split(".")[1]) % 3 !== 2);
    expect(bodies(back)).toEqual(expect.arrayContaining(unchanged));
    expect(bodies(live)).toEqual(expect.arrayContaining(unchanged));
    await Promise.all([live.cut(), back.cut()]);
  }, 60_000);
});

test("a difference ends the move with the source as it was, and names where", async () => {
  const { id, database, resourceId } = await placedWithComments();
  const before = await readComments(app, resourceId);
  const { stopped, goOn } = stopAt("move-placement/follow/after");
  await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
  await stopped;
  const [target] = await sql<{ name: string }>(
    app.databaseUrl,
    "select d.name from tenantry.moves m join tenantry.tenant_databases d on d.id = m.to_database_id where m.placement_id = $1",
    [id],
  );
  await sql(
    `${serverUrl("us")}/${target?.name}`,
    "update app.comments set body = 'Changed' where id = (select id from app.comments where organization_id = $1 order by id limit 1)",
    [organization],
  );
  goOn();
  expect(await arrived(id)).toMatchObject({ region: { key: "eu" }, database });
  const job = () =>
    sql<{ state: string; last_error: string }>(
      app.databaseUrl,
      "select state, last_error from tenantry.jobs where kind = 'move-placement' and placement_id = $1",
      [id],
    );
  await expect
    .poll(job, { timeout: 10_000 })
    .toEqual([{ state: "FAILED", last_error: expect.stringContaining("app.comments") }]);
  expect(await readComments(app, resourceId)).toEqual(before);
  await nothingIsLeft();
}, 60_000);

test("reads go on, and writes wait, while the placement is held", async () => {
  const { id, resourceId } = await placedWithComments();
  const { stopped, goOn } = stopAt("moves.arrived");
  await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
  await stopped;
  const written = comment(other, resourceId, ada, "Held");
  expect((await readComments(app, resourceId)).size).toBe(5);
  expect((await readComments(other, resourceId)).size).toBe(5);
  goOn();
  const held = await written;
  expect(await arrived(id)).toMatchObject({ region: { key: "us" } });
  expect((await readComments(app, resourceId)).get(held)).toBe("Held");
  await nothingIsLeft();
}, 60_000);

test("a hold that takes too long lets go on the source, and is tried again", async () => {
  const { id, resourceId } = await placedWithComments();
  let times = 0;
  disarm = armFailpoint("moves.arrived", () => {
    times += 1;
    if (times < 3) throw new Error("it takes too long");
  });
  callers = startCallers([app, other], { resourceId, authorId: ada });
  await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
  expect(await arrived(id)).toMatchObject({ region: { key: "us" } });
  await callers.stop();
  expect(callers.errors).toEqual([]);
  expect(times).toBe(3);
}, 60_000);

test("an erasure that is asked for during a move is done on the side where the placement is afterwards", async () => {
  const { id, resourceId } = await placedWithComments();
  const { stopped, goOn } = stopAt("moves.arrived");
  const leaving = await createUser(app, "Leaving");
  await addMember(app, organization, leaving);
  await comment(app, resourceId, leaving, "Mine");
  await app.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
  await stopped;
  const erasure = app.ask("mutation ($id: ID!) { eraseUser(id: $id) { complete } }", { id: leaving });
  goOn();
  await erasure;
  const { database } = await arrived(id);
  const left = () => sql(`${serverUrl("us")}/${database}`, "select from app.comments where author_id = $1", [leaving]);
  expect(await eventually(async () => (await left()).length === 0, 20_000)).toBe(true);
}, 60_000);
