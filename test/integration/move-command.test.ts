/** `tenantry move` and `tenantry region retire --move-to`, up to what carries a move. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway } from "../../src/engine/links/run-gateway.ts";
import { startJobRunner } from "../../src/engine/jobs/job-runner.ts";
import { jobHandlers } from "../../src/job-handlers.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { runCommand } from "../support/command.ts";
import { createOrganization, eventually, grant, type Granted, registerRegion } from "../support/journey.ts";
import { startServer } from "../support/servers.ts";

/** Nobody carries a move: what a carrier would note is written by the tests. */
let app: TestApp;
type Placed = { organization: string; placement: Granted };
const placed: Placed[] = [];

beforeAll(async () => {
  const setup = await startApp();
  const { databaseUrl, secretKey } = setup;
  await registerRegion(setup, "eu", serverUrl("eu"));
  await registerRegion(setup, "us", serverUrl("us"));
  for (const name of ["Looked at", "Moved", "Left", "Several"]) {
    const organization = await createOrganization(setup, name);
    const placement = await grant(setup, organization, "eu");
    for (const table of ["app.resources", "app.comments"])
      await sql(`${serverUrl("eu")}/${placement.database}`, `alter table ${table} replica identity full`);
    placed.push({ organization, placement });
  }
  await grant(setup, placed.at(-1)?.organization ?? "", "us");
  await setup.stop();
  app = await startApp({ databaseUrl, secretKey, role: "api" });
});
afterAll(() => app.stop());

function take(): Placed {
  const next = placed.shift();
  if (next === undefined) throw new Error("all are taken");
  return next;
}

/** As the switch leaves it. */
async function arrive(placementId: string): Promise<void> {
  await sql(
    app.databaseUrl,
    `with moved as (
       update tenantry.moves set other_database_id = from_database_id, switched_at = now(), step = 'KEEPING_SOURCE', held_ms = 120.4,
         keep_until = '2126-01-02T03:04:05Z' where placement_id = $1 returning to_database_id
     )
     update tenantry.placements p set state = 'ACTIVE', database_id = to_database_id, region_id = d.region_id
     from moved join tenantry.tenant_databases d on d.id = to_database_id where p.id = $1`,
    [placementId],
  );
}

test("a look ahead is printed, and changes nothing", async () => {
  const { organization, placement } = take();
  const looked = await runCommand(app, ["move", organization, "--to", "us", "--dry-run"]);
  expect(looked.errors).toBe("");
  expect(looked.output).toMatch(/^To region us, DEDICATED\.\nAbout 0 rows, \d+ kB, \d+ s or so\.\n/);
  expect(looked.output).toMatch(/It can be moved\.\n$/);
  expect(looked.code).toBe(0);
  const args = ["move", placement.id, "--isolation", "dedicated", "--dry-run", "--json"];
  const blocked = await runCommand(app, args);
  expect(blocked.code).toBe(1);
  expect(JSON.parse(blocked.output)).toMatchObject({
    placementId: placement.id,
    to: { regionKey: "eu", isolation: "DEDICATED" },
    findings: [{ sentence: "The placement is DEDICATED in region eu already.", blocks: true }, {}, {}],
  });
  expect((await sql(app.databaseUrl, "select from tenantry.moves")).length).toBe(0);
});

test("what cannot be understood is refused", async () => {
  const { organization } = placed.at(-1) ?? take();
  const refused = async (...args: string[]) => (await runCommand(app, ["move", ...args])).errors.trim();
  const [first] = placed;
  const id = first?.placement.id ?? "";
  expect(await refused("acme", "--to", "us")).toBe("what must be a UUID, as all ids are.");
  expect(await refused("01993c1e-8f1a-7a52-8000-3f2b6c9d1e00", "--to", "us")).toBe("Placement not found.");
  expect(await refused(organization, "--to", "us")).toMatch(
    /^The organization has 2 placements\. Name one of them: [0-9a-f-]+ \(eu\), [0-9a-f-]+ \(us\)\.$/,
  );
  expect(await refused(id)).toMatch(/^Say where it goes/);
  expect(await refused(id, "--to", "nowhere")).toBe("There is no region nowhere.");
  expect(await refused(id, "--isolation", "apart")).toBe("--isolation must be shared or dedicated.");
  expect(await refused(id, "--to", "us", "--keep-source", "long")).toMatch(
    /^--keep-source must be a number and a unit/,
  );
  expect(await refused(id, "--to", "us", "--keep-source", "31d")).toMatch(/^keepSourceSeconds must be between 0/);
  expect(await refused(id, "--cancel")).toBe("The placement is not being moved.");
});

test("a move is followed until the placement is there", async () => {
  const { organization, placement } = take();
  const moving = runCommand(app, ["move", organization, "--to", "us", "--keep-source", "2d"]);
  const begun = async () =>
    (await sql(app.databaseUrl, "select from tenantry.moves where placement_id = $1", [placement.id])).length;
  expect(await eventually(begun)).toBe(1);
  await arrive(placement.id);
  const { code, output, errors } = await moving;
  expect(output).toBe(
    `${placement.id} is ACTIVE in region us. Writes were held for 120 ms. Until 2126-01-02T03:04:05.000Z it can go back: tenantry move ${placement.id} --cancel.\n`,
  );
  expect(errors).toMatch(/^(preparing|there, the source is kept) .*0 rows/);
  expect(code).toBe(0);
  const [row] = await sql(app.databaseUrl, "select keep_source_seconds from tenantry.moves where placement_id = $1", [
    placement.id,
  ]);
  expect(row).toEqual({ keep_source_seconds: 172_800 });
  const back = await runCommand(app, ["move", placement.id, "--cancel"]);
  expect(back.output).toMatch(/^The placement goes back to where it was/);
});

const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

test("Ctrl-C leaves a move going, and says how it is called off", async () => {
  const { placement } = take();
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  const child = spawn(process.execPath, [program, "move", placement.id, "--to", "us"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  expect(await eventually(async () => errors.startsWith("preparing"))).toBe(true);
  child.kill("SIGINT");
  const [code] = await once(child, "close");
  expect(code).toBe(1);
  expect(output).toBe(`The move goes on. tenantry move ${placement.id} --cancel calls it off.\n`);
  const { output: cancelled } = await runCommand(app, ["move", placement.id, "--cancel"]);
  expect(cancelled).toBe("The move is called off. The placement stays where it was.\n");
});

test("what is in a region is moved before it is retired", async () => {
  await using own = await startServer();
  const setup = await startApp();
  const { databaseUrl, secretKey } = setup;
  await registerRegion(setup, "old", own.url());
  await registerRegion(setup, "eu", serverUrl("eu"));
  const organization = await createOrganization(setup, "Emigrant");
  const placement = await grant(setup, organization, "old");
  for (const table of ["app.resources", "app.comments"])
    await sql(own.url(placement.database), `alter table ${table} replica identity full`);
  await setup.stop();
  await using stack = new AsyncDisposableStack();
  app = await swap(app, { databaseUrl, secretKey });
  const gateway = await startGateway(app.services, { host: "127.0.0.1", port: 0 });
  stack.defer(() => gateway.close());
  const refused = async (input: object) =>
    app.refuse("mutation ($input: RetireRegionInput!) { retireRegion(input: $input) { key } }", { input });
  expect(await refused({ key: "old" })).toMatchObject({ code: "CONFLICT" });
  expect(await refused({ key: "old", moveTo: "old" })).toMatchObject({ code: "INVALID_INPUT", field: "moveTo" });
  expect(await refused({ key: "old", moveTo: "nowhere" })).toMatchObject({ code: "INVALID_INPUT", field: "moveTo" });
  expect(await refused({ key: "old", moveTo: "eu", abandonServer: true })).toMatchObject({ field: "moveTo" });
  const asked = await runCommand(app, ["region", "retire", "old", "--move-to", "eu"]);
  expect(asked.output).toBe("A worker moves what is in old to eu, and retires old then: see tenantry jobs.\n");
  // A move that takes nothing along.
  const runner = await startJobRunner(app.services, {
    ...jobHandlers(),
    "move-placement": async (_, { job }) => {
      await arrive(job.placementId ?? "");
      await sql(app.databaseUrl, "delete from tenantry.moves where placement_id = $1", [job.placementId]);
    },
  });
  stack.defer(() => runner.stop());
  const isRetired = async () =>
    (await sql(app.databaseUrl, "select from tenantry.regions where key = 'old' and retired_at is not null")).length;
  expect(await eventually(isRetired, 20_000)).toBe(1);
  const where = await sql(
    app.databaseUrl,
    "select r.key from tenantry.placements p join tenantry.regions r on r.id = p.region_id where p.id = $1",
    [placement.id],
  );
  expect(where).toEqual([{ key: "eu" }]);
}, 60_000);

async function swap(before: TestApp, home: { databaseUrl: string; secretKey: string }): Promise<TestApp> {
  await before.stop();
  return startApp({ ...home, role: "api" });
}
