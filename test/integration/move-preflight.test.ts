/** Looking ahead at a move, beginning it and calling it off, as far as that goes without carrying it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findPlacementById } from "../../src/engine/home/placements.ts";
import { findWorkers } from "../../src/engine/jobs/worker-regions.ts";
import { requestJob } from "../../src/engine/jobs/job.ts";
import { type MoveInput, planMove } from "../../src/engine/moves/request-move.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  type Granted,
  registerRegion,
} from "../support/journey.ts";
import { startServer } from "../support/servers.ts";

const MOVE = `mutation ($input: MovePlacementInput!) { movePlacement(input: $input) {
  id state move { step startedAt rowsCopied bytesCopied rowsTotal bytesTotal estimateSeconds lagBytes heldWritesMs
    findings obstacles verifiedAt keepUntil cancelledAt isSwitched from { region { key } isolation } to { region { key } isolation } } } }`;
const CANCEL = "mutation ($id: ID!) { cancelMove(placementId: $id) { state move { step cancelledAt } } }";

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
});
afterAll(() => app.stop());

type Placed = { owner: string; organization: string; name: string; placement: Granted };

let count = 0;
async function placed(isolation: "DEDICATED" | "SHARED" = "DEDICATED", region = "eu"): Promise<Placed> {
  count += 1;
  const name = `Mover ${count}`;
  const owner = await createUser(app, "Owner");
  const organization = await createOrganization(app, name, owner);
  const placement = await grant(app, organization, region, isolation);
  const resource = await createResource(app, { name: "Project", organizationId: organization, regionKey: region });
  for (const body of ["One", "Two"]) await comment(app, resource, owner, body);
  await readyTables(placement, region);
  return { owner, organization, name, placement };
}

/** So that a stream may be filtered by the organization. */
async function readyTables({ database }: Granted, region: string): Promise<void> {
  const url = `${serverUrl(region === "eu" ? "eu" : "us")}/${database}`;
  for (const table of ["app.resources", "app.comments"]) await sql(url, `alter table ${table} replica identity full`);
}

function dryRun(input: object, as?: string) {
  return app.ask(MOVE, { input: { dryRun: true, ...input } }, as).then(({ movePlacement }) => movePlacement);
}

/** All that home has of moves, jobs, placements and tenant databases, and what both servers have of replication. */
async function everything(): Promise<unknown> {
  const atHome = await sql(
    app.databaseUrl,
    `select (select json_agg(m) from tenantry.moves m) as moves, (select json_agg(j order by id) from tenantry.jobs j) as jobs,
       (select json_agg(p order by id) from tenantry.placements p) as placements,
       (select json_agg(d.id order by id) from tenantry.tenant_databases d) as databases`,
  );
  const onServers = await Promise.all(
    (["eu", "us"] as const).map((name) =>
      sql(
        serverUrl(name),
        `select (select json_agg(datname order by datname) from pg_database where starts_with(datname, $1)) as databases,
           (select json_agg(slot_name order by slot_name) from pg_replication_slots where starts_with(slot_name, $1)) as slots,
           (select json_agg(subname order by subname) from pg_subscription where starts_with(subname, $1)) as subscriptions`,
        [`tenantry_${app.services.installation}`],
      ),
    ),
  );
  return [atHome, onServers];
}

describe("a dry run", () => {
  test("says what the move would be, and changes nothing", async () => {
    const { placement } = await placed();
    const before = await everything();
    const { state, move } = await dryRun({ placementId: placement.id, regionKey: "us" });
    expect(state).toBe("ACTIVE");
    expect(move).toMatchObject({
      step: "PREPARING",
      rowsCopied: 0,
      obstacles: [],
      from: { region: { key: "eu" }, isolation: "DEDICATED" },
      to: { region: { key: "us" }, isolation: "DEDICATED" },
      isSwitched: false,
      cancelledAt: null,
    });
    // A resource and two comments, and their entries.
    expect(move.rowsTotal).toBe(6);
    expect(move.bytesTotal).toBeGreaterThan(0);
    expect(move.estimateSeconds).toBeGreaterThan(0);
    expect(move.findings).toContainEqual(expect.stringMatching(/how much room the disk of region us has/));
    expect(await everything()).toEqual(before);
    const { placement: after } = await app.ask("query ($id: ID!) { placement(id: $id) { state move { step } } }", {
      id: placement.id,
    });
    expect(after).toEqual({ state: "ACTIVE", move: null });
  });

  test("counts the rows of the organization alone where others share the database", async () => {
    const { placement } = await placed("SHARED");
    await placed("SHARED");
    const { move } = await dryRun({ placementId: placement.id, isolation: "DEDICATED" });
    expect(move).toMatchObject({ rowsTotal: 6, obstacles: [], to: { region: { key: "eu" }, isolation: "DEDICATED" } });
  });

  test("says that new data is written back into the region that it leaves", async () => {
    const { placement } = await placed();
    const { move } = await dryRun({ placementId: placement.id, regionKey: "us", keepSourceSeconds: 172_800 });
    expect(move.findings).toContainEqual(
      expect.stringMatching(
        /^For 2 days after the switch, what is written in region us is written back into region eu/,
      ),
    );
    expect(move.obstacles).toEqual([]);
    const within = await dryRun({ placementId: placement.id, isolation: "SHARED", keepSourceSeconds: 60 });
    expect(within.move.findings.join()).not.toContain("written back");
  });

  test("says which tables and triggers are in the way", async () => {
    const { placement } = await placed();
    const url = `${serverUrl("eu")}/${placement.database}`;
    await sql(url, "alter table app.comments replica identity nothing");
    await sql(
      url,
      `create function app.shout() returns trigger language plpgsql as $$ begin return new; end $$;
       create trigger shout before insert on app.comments for each row execute function app.shout();
       alter table app.comments enable always trigger shout`,
    );
    const { move } = await dryRun({ placementId: placement.id, regionKey: "us" });
    expect(move.obstacles).toEqual([
      "The table app.comments cannot be moved: its replica identity does not name the organization. It must be a unique index with organization_id in it, or FULL.",
    ]);
    expect(move.findings[0]).toBe(move.obstacles[0]);
    expect(move.findings).toContainEqual(expect.stringContaining('"shout on app.comments"'));
    expect(await app.refuse(MOVE, { input: { placementId: placement.id, regionKey: "us" } })).toEqual({
      code: "CONFLICT",
      message: move.obstacles[0],
    });
  });

  test("says that an extension is missing which a column needs", async () => {
    const { placement } = await placed();
    const url = `${serverUrl("eu")}/${placement.database}`;
    // As it looks where the other server has no such extension: none of these servers lacks one.
    await sql(url, "create extension citext");
    await sql(url, "alter table app.comments add column aside citext");
    await sql(url, "update pg_extension set extname = 'nowhere' where extname = 'citext'");
    const { move } = await dryRun({ placementId: placement.id, regionKey: "us" });
    expect(move.obstacles).toEqual([
      'The database has the extension "nowhere", which the server of region us does not have.',
    ]);
  });

  test("says what the servers are short of, to the operator with the settings", async () => {
    await using server = await startServer({ settings: { max_replication_slots: "8" } });
    await registerRegion(app, "tight", server.url());
    const owner = await createUser(app, "Owner");
    const organization = await createOrganization(app, "Tight", owner);
    const placement = await grant(app, organization, "tight");
    for (const table of ["app.resources", "app.comments"])
      await sql(server.url(placement.database), `alter table ${table} replica identity full`);
    await sql(server.url(), "select pg_create_physical_replication_slot('filler_' || n) from generate_series(1, 5) n");
    const input = { placementId: placement.id, regionKey: "us" };
    const asked = await dryRun(input);
    expect(asked.move.obstacles).toEqual([
      "The server of region tight has no room for the move. For the operator: max_replication_slots is 8: 1 are Tenantry's, 5 others', and 1 more are needed. Raise it and restart that server.",
    ]);
    const sentence = "The server of region tight has no room for the move.";
    expect((await dryRun(input, owner)).move.obstacles).toEqual([sentence]);
    expect(await app.refuse(MOVE, { input }, owner)).toEqual({ code: "CONFLICT", message: sentence });
  });

  test("refuses what cannot be", async () => {
    const { placement, organization } = await placed();
    const { id: placementId } = placement;
    const refused = (input: object) => app.refuse(MOVE, { input: { placementId, dryRun: true, ...input } });
    expect(await refused({ regionKey: "nowhere" })).toMatchObject({ code: "INVALID_INPUT", field: "regionKey" });
    expect(await refused({ regionKey: "No key" })).toMatchObject({ code: "INVALID_INPUT", field: "regionKey" });
    expect(await refused({ keepSourceSeconds: -1 })).toMatchObject({
      code: "INVALID_INPUT",
      field: "keepSourceSeconds",
    });
    expect(await refused({ keepSourceSeconds: 2_592_001 })).toMatchObject({ field: "keepSourceSeconds" });
    const here = await dryRun({ placementId, regionKey: "eu" });
    expect(here.move.obstacles).toEqual(["The placement is DEDICATED in region eu already."]);
    await grant(app, organization, "us");
    const there = await dryRun({ placementId, regionKey: "us" });
    expect(there.move.obstacles).toEqual([
      "The organization has another placement in region us, which is ACTIVE: a region holds one of each.",
    ]);
  });

  test("says that databases are being migrated, or have different versions", async () => {
    const { placement } = await placed();
    const versions = "update tenantry.tenant_databases set app_version = app_version + $2 where name = $1";
    await sql(app.databaseUrl, versions, [placement.database, -1]);
    const older = await dryRun({ placementId: placement.id, regionKey: "us" });
    expect(older.move.obstacles).toContainEqual(expect.stringContaining("different schema versions"));
    await sql(app.databaseUrl, versions, [placement.database, 1]);
    await sql(
      app.databaseUrl,
      "update tenantry.tenant_databases set migrating_to_engine = engine_version, migrating_to_app = app_version where name = $1",
      [placement.database],
    );
    const migrating = await dryRun({ placementId: placement.id, regionKey: "us" });
    expect(migrating.move.obstacles).toEqual(["Tenant databases are being migrated: a move waits until that is done."]);
  });
});

test("who may not manage placements may neither move one nor look ahead", async () => {
  const { placement, organization } = await placed();
  const input = { placementId: placement.id, regionKey: "us" };
  const [admin, stranger] = [await createUser(app, "Admin"), await createUser(app, "Stranger")];
  await addMember(app, organization, admin, "ADMIN");
  for (const dry of [true, false]) {
    const variables = { input: { ...input, dryRun: dry } };
    expect(await app.refuse(MOVE, variables, admin)).toMatchObject({ code: "FORBIDDEN" });
    expect(await app.refuse(MOVE, variables, stranger)).toMatchObject({ code: "NOT_FOUND" });
  }
  expect(await app.refuse(CANCEL, { id: placement.id }, admin)).toMatchObject({ code: "FORBIDDEN" });
  expect(await app.refuse(CANCEL, { id: placement.id }, stranger)).toMatchObject({ code: "NOT_FOUND" });
  expect(await app.refuse(CANCEL, { id: placement.id })).toEqual({
    code: "CONFLICT",
    message: "The placement is not being moved.",
  });
});

describe("workers of regions", () => {
  const plan = async (placementId: string, more: Partial<MoveInput> = {}) => {
    const input = {
      placementId,
      regionKey: "us",
      isolation: null,
      keepSourceSeconds: 0,
      throughOthers: false,
      ...more,
    };
    return (await planMove(app.services, OPERATOR, input)).findings;
  };

  test("content passes none elsewhere that was not allowed to", async () => {
    const { placement } = await placed();
    const { databaseUrl, secretKey } = app;
    await app.stop();
    try {
      // The gateway of another process, whose worker works for neither region.
      await using far = await startWorker({ databaseUrl, secretKey, workerRegions: ["ap"] });
      app = await startApp({ databaseUrl, secretKey, role: "api" });
      expect(await eventually(async () => (await findWorkers(app.services.home, [])).isUp)).toBe(true);
      const elsewhere = /^Content would pass a worker elsewhere, as no worker that is up works for region eu or us\./;
      expect(await plan(placement.id)).toContainEqual({ sentence: expect.stringMatching(elsewhere), blocks: true });
      expect(await plan(placement.id, { throughOthers: true })).toContainEqual({
        sentence: "Content passes a worker elsewhere: no worker that is up works for region eu or us.",
        blocks: false,
      });
      await using near = await startWorker({ databaseUrl, secretKey, workerRegions: ["us"] });
      const isNear = async () => (await plan(placement.id)).every(({ sentence }) => !sentence.includes("elsewhere"));
      expect(await eventually(isNear)).toBe(true);
      void [far, near];
    } finally {
      await app.stop();
      app = await startApp({ databaseUrl, secretKey });
    }
  });

  test("jobs run where a worker works for their region, or where they have none", async () => {
    const { services } = app;
    const { databaseUrl, secretKey } = app;
    await app.stop();
    await using worker = await startWorker({ databaseUrl, secretKey, workerRegions: ["us"] });
    app = await startApp({ databaseUrl, secretKey, role: "api" });
    void [services, worker];
    const [eu, us] = await Promise.all(["eu", "us"].map((key) => regionId(key)));
    const ask = (regionOf: string | undefined, subject: string) =>
      requestJob(app.services.home, "operator", {
        kind: "review-erasures",
        subject,
        ...(regionOf === undefined ? {} : { regionId: regionOf }),
      });
    const [here, there, nowhere] = [await ask(us, "here"), await ask(eu, "there"), await ask(undefined, "nowhere")];
    expect(await eventually(async () => (await attemptsOf(here)) > 0 && (await attemptsOf(nowhere)) > 0)).toBe(true);
    expect(await attemptsOf(there)).toBe(0);
    expect(await findWorkers(app.services.home, ["eu"])).toEqual({ isUp: true, worksHere: false });
    await app.stop();
    app = await startApp({ databaseUrl, secretKey });
    expect(await eventually(async () => (await attemptsOf(there)) > 0)).toBe(true);
    expect(await findWorkers(app.services.home, ["eu"])).toEqual({ isUp: true, worksHere: true });
  });
});

async function regionId(key: string): Promise<string> {
  const [row] = await sql<{ id: string }>(app.databaseUrl, "select id from tenantry.regions where key = $1", [key]);
  return row?.id ?? "";
}

async function attemptsOf(job: string): Promise<number> {
  const [row] = await sql<{ attempts: number }>(app.databaseUrl, "select attempts from tenantry.jobs where id = $1", [
    job,
  ]);
  return row?.attempts ?? 0;
}

async function startWorker(settings: { databaseUrl: string; secretKey: string; workerRegions: string[] }) {
  const worker = await startApp({ ...settings, role: "worker" });
  return { worker, [Symbol.asyncDispose]: () => worker.stop() };
}

describe("a move that was asked for", () => {
  test("is there with its job, is not begun twice, and can be called off", async () => {
    const { placement, owner } = await placed();
    const { databaseUrl, secretKey } = app;
    await app.stop();
    try {
      // Nobody carries it.
      app = await startApp({ databaseUrl, secretKey, role: "api" });
      const input = { placementId: placement.id, regionKey: "us", keepSourceSeconds: 600 };
      const { movePlacement } = await app.ask(MOVE, { input }, owner);
      expect(movePlacement).toMatchObject({
        state: "MOVING",
        move: {
          step: "PREPARING",
          rowsTotal: 6,
          obstacles: [],
          from: { region: { key: "eu" } },
          to: { region: { key: "us" } },
          isSwitched: false,
        },
      });
      expect(movePlacement.move.findings).toContainEqual(expect.stringMatching(/^No worker is up now/));
      expect(await jobsOn(placement.id)).toEqual([{ kind: "move-placement", state: "WAITING", requestedBy: owner }]);
      expect(await app.refuse(MOVE, { input }, owner)).toEqual({
        code: "CONFLICT",
        message: "The placement is being moved already: wait until it is ACTIVE, or cancel that move.",
      });
      const first = (await app.ask(CANCEL, { id: placement.id }, owner)).cancelMove;
      expect(first.move.cancelledAt).not.toBeNull();
      expect((await app.ask(CANCEL, { id: placement.id }, owner)).cancelMove).toEqual(first);
      const found = await findPlacementById(app.services, placement.id);
      expect(found).toMatchObject({ state: "MOVING", database: placement.database });
    } finally {
      await app.stop();
      app = await startApp({ databaseUrl, secretKey });
    }
  });
});

function jobsOn(placementId: string) {
  return sql(
    app.databaseUrl,
    `select kind, state, requested_by as "requestedBy" from tenantry.jobs
     where placement_id = $1 and kind <> 'provision-placement'`,
    [placementId],
  );
}
