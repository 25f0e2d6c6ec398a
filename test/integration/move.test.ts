/** An organization that moves to another tenant database while it is used. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { serverUrl, type ServerName, sql, startApp, type TestApp } from "../support/app.ts";
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
import { findDifferences, findUnrest } from "../support/replication-truth.ts";

let app: TestApp;
/** An API without the worker. */
let other: TestApp;
let ada: string;
let organization: string;
let callers: Callers | undefined;
let disarm: (() => void) | undefined;

const MOVES = { routesKeptMs: 200 };

beforeAll(async () => {
  app = await startApp({ moves: MOVES });
  other = await startApp({ databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" });
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  ada = await createUser(app, "Ada");
}, 60_000);
afterAll(async () => {
  await other.stop();
  await app.stop();
});
beforeEach(async () => {
  organization = await createOrganization(app, "Moving");
  await addMember(app, organization, ada);
});
afterEach(async () => {
  disarm?.();
  await callers?.stop();
  callers = undefined;
});

const MOVE = "mutation ($input: MovePlacementInput!) { movePlacement(input: $input) { id state move { step findings } } }";
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
    const jobs = await sql(app.databaseUrl, "select kind, state, step, last_error from tenantry.jobs where placement_id = $1", [id]);
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
  const installation = { homeUrl: app.databaseUrl, regionUrl: (key: string, database: string) => `${serverUrl(key as ServerName)}/${database}` };
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
    expect((await app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: staying })).resource.name).toBe("Staying");
    if (from[1] === "SHARED") expect(await rowsIn(from[0], database)).toBe(0);
    expect(await rowsIn(to[0], there.database)).toBe(before.size + callers.model.size);
    await nothingIsLeft();
    const [receipt] = await sql<{ result: any }>(
      app.databaseUrl,
      "select result from tenantry.jobs where kind = 'move-placement' and placement_id = $1",
      [id],
    );
    expect(receipt?.result).toMatchObject({ from: { region: from[0] }, to: { region: to[0] }, verifiedAt: expect.any(String) });
    expect(receipt?.result.heldWritesMs).toBeGreaterThan(0);
  }, 90_000);
});
