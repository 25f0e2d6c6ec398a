/** A black hole on one of the ways of a move, in the middle of the hold: nothing that was answered is lost, and it goes on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { type ServerName, serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
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
import { readComments, startCallers } from "../support/move-callers.ts";

/** Carries the move, and reaches each server by a way of its own. */
let worker: TestApp;
let ada: string;
const ways = new Map<ServerName, Forwarder>();

const way = (server: ServerName) => {
  const found = ways.get(server);
  if (found === undefined) throw new Error("there is no such way");
  return found;
};

beforeAll(async () => {
  for (const server of ["eu", "us"] as const) ways.set(server, await startForwarder(serverUrl(server)));
  worker = await startApp({ moves: { routesKeptMs: 100 } });
  for (const server of ["eu", "us"] as const)
    await registerRegion(worker, server, viaPort(serverUrl(server), way(server).port));
  ada = await createUser(worker, "Ada");
}, 60_000);
afterAll(async () => {
  await worker.stop();
  for (const one of ways.values()) await one[Symbol.asyncDispose]();
});

const MOVE = "mutation ($input: MovePlacementInput!) { movePlacement(input: $input) { state } }";

/** Longer than writes are held. */
const SILENT_MS = 5_000;

test.each(["us", "eu"] as const)(
  "to the server %s, the target's or the source's",
  async (silent) => {
    const organization = await createOrganization(worker, "Moving");
    await addMember(worker, organization, ada);
    const { id } = await grant(worker, organization, "eu");
    const resourceId = await createResource(worker, { name: "Moving", organizationId: organization });
    await comment(worker, resourceId, ada, "Before");
    const hole = Promise.withResolvers<Disposable>();
    const disarm = armFailpoint("moves.held", () => {
      disarm();
      hole.resolve(way(silent).swallow());
    });
    await worker.ask(MOVE, { input: { placementId: id, regionKey: "us" } });
    const swallowed = await hole.promise;
    // Who writes while the target is silent is let go on after the longest hold; a silent source answers nobody.
    const began = performance.now();
    const callers = startCallers([worker], { resourceId, authorId: ada, callers: 2 });
    await eventually(async () => performance.now() - began > SILENT_MS, SILENT_MS * 2);
    const written = callers.count();
    swallowed[Symbol.dispose]();
    expect(written > 0 || silent === "eu").toBe(true);
    const isThere = async () => {
      const [row] = await sql<{ key: string; step: string | null }>(
        worker.databaseUrl,
        `select r.key, m.step from tenantry.placements p join tenantry.regions r on r.id = p.region_id
         left join tenantry.moves m on m.placement_id = p.id where p.id = $1 and p.state = 'ACTIVE'`,
        [id],
      );
      return row?.key === "us" && row.step === null;
    };
    expect(await eventually(isThere, 60_000)).toBe(true);
    await callers.stop();
    const found = await readComments(worker, resourceId);
    for (const [commentId, body] of callers.model) expect(found.get(commentId)).toBe(body);
  },
  120_000,
);
