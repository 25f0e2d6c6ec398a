/**
 * A move is stopped at every failpoint by killing the process that carries it, home's server, the source's or the target's, while
 * somebody writes. Afterwards it must finish by itself: the placement is whole on one side, no write that was answered is lost or
 * doubled, and nothing half made stays anywhere. Which of the four is killed where, failpoints.ts says.
 */
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/observability/logger.ts";
import { findOrphans, findStuckPlacements } from "../../src/engine/doctor/find-orphans.ts";
import type { Services } from "../../src/engine/services.ts";
import { closeServices, createServices } from "../../src/services.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { readComments } from "../support/move-callers.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";
import { disastersAt, failpointsOf } from "./failpoints.ts";
import { insist, Worker } from "./worker.ts";

let home: OwnServer;
let source: OwnServer;
let target: OwnServer;
/** The API, which takes no part in the work. */
let api: TestApp;
let services: Services;
let worker: Worker;
let installation: Installation;
let options: object;
let ada: string;

beforeAll(async () => {
  [home, source, target] = await Promise.all([startServer(), startServer(), startServer()]);
  api = await startApp({ homeServer: home.url(), role: "api" });
  const { databaseUrl, secretKey } = api;
  options = {
    databaseUrl,
    secretKey,
    moves: { routesKeptMs: 100 },
    replication: {
      sweepIntervalMs: 300,
      carrier: { idleMs: 50, slowIdleMs: 1_000, stallMs: 1_500, retryMs: 50, maxRetryMs: 500 },
    },
  };
  worker = await Worker.start(options);
  services = await createServices({
    databaseUrl,
    secretKey,
    logger: createLogger({ level: "silent" }),
    tenantSchema: TENANT_SCHEMA,
  });
  await registerRegion(api, "source", source.url());
  await registerRegion(api, "target", target.url());
  installation = {
    homeUrl: databaseUrl,
    regionUrl: (key, database) => (key === "source" ? source : target).url(database),
  };
  ada = await createUser(api, "Ada");
}, 60_000);
afterAll(async () => {
  await worker.kill();
  await closeServices(services);
  await api.stop();
  for (const server of [home, source, target]) await server[Symbol.asyncDispose]();
});

async function restart(server: OwnServer): Promise<void> {
  await server.server.kill();
  worker.goOn();
  await server.server.start();
}

const DISASTERS: Record<string, () => Promise<void>> = {
  "the process": async () => {
    await worker.kill();
    worker = await Worker.start(options);
  },
  "home's server": () => restart(home),
  "the source's server": () => restart(source),
  "the target's server": () => restart(target),
};

const MOVE = "mutation ($input: MovePlacementInput!) { movePlacement(input: $input) { state } }";
const CANCEL = "mutation ($id: ID!) { cancelMove(placementId: $id) { state } }";
const COMMENT = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";

/** What the move is told to do, and where the placement is when it has done it. */
type Scenario = {
  kind: "move-placement" | "forget-source";
  failpoints: readonly string[];
  from: "DEDICATED" | "SHARED";
  to: "DEDICATED" | "SHARED";
  keepSourceSeconds: number;
  /** What was there before the failpoint is armed. */
  before?: (id: string) => Promise<unknown>;
  /** Brings it to where the failpoint is passed. */
  ask: (id: string) => Promise<unknown>;
  region: string;
};

const SWITCHING = ["moves.held", "moves.arrived", "moves.recording"];
const move = (id: string, { to, keepSourceSeconds }: Pick<Scenario, "to" | "keepSourceSeconds">) =>
  api.ask(MOVE, { input: { placementId: id, regionKey: "target", isolation: to, keepSourceSeconds } });
const isKept = async (id: string) =>
  (await sql(api.databaseUrl, "select from tenantry.moves where placement_id = $1 and step = 'KEEPING_SOURCE'", [id]))
    .length === 1;

const there = { to: "DEDICATED", keepSourceSeconds: 0 } as const;
const back = { to: "SHARED", keepSourceSeconds: 3_600 } as const;
const SCENARIOS: Record<string, Scenario> = {
  "a database of its own": {
    kind: "move-placement",
    failpoints: [...failpointsOf("move-placement").filter((one) => !one.includes("/keep/")), ...SWITCHING],
    from: "DEDICATED",
    ...there,
    ask: (id) => move(id, there),
    region: "target",
  },
  "rows of a shared database": {
    kind: "move-placement",
    failpoints: [
      "move-placement/prepare/after",
      "move-placement/copy/after",
      "move-placement/keep/after",
      "moves.copied:app.comments",
      ...SWITCHING,
    ],
    from: "SHARED",
    ...back,
    ask: (id) => move(id, back),
    region: "target",
  },
  "the way back": {
    kind: "move-placement",
    failpoints: [
      "move-placement/follow/after",
      "move-placement/switch/after",
      "move-placement/clean/after",
      ...SWITCHING,
    ],
    from: "SHARED",
    ...back,
    before: moveAndKeep,
    ask: (id) => api.ask(CANCEL, { id }),
    region: "source",
  },
  "a source that was kept": {
    kind: "forget-source",
    failpoints: failpointsOf("forget-source"),
    from: "DEDICATED",
    ...back,
    before: moveAndKeep,
    ask: forgetNow,
    region: "target",
  },
};

async function moveAndKeep(id: string): Promise<void> {
  await insist(() => move(id, back));
  expect(await eventually(() => isKept(id).catch(() => false), 30_000)).toBe(true);
}

async function forgetNow(id: string): Promise<void> {
  await sql(api.databaseUrl, "update tenantry.moves set keep_until = now() where placement_id = $1", [id]);
  await sql(
    api.databaseUrl,
    "update tenantry.jobs set due_at = now() where kind = 'forget-source' and placement_id = $1 and state = 'WAITING'",
    [id],
  );
}

/** For the message of a test that fails. */
async function standingOf(id: string): Promise<string> {
  const rows = await sql(
    api.databaseUrl,
    `select 'move' as what, to_jsonb(m) as row from tenantry.moves m where placement_id = $1
     union all select 'job', to_jsonb(j) from tenantry.jobs j where placement_id = $1 and state <> 'DONE'`,
    [id],
  );
  return JSON.stringify(rows);
}

/** Writes again and again. What was answered must be there afterwards; of what was not, nobody knows. */
function startWriting(resourceId: string) {
  const answered: string[] = [];
  const asked = new Set<string>();
  let isOver = false;
  const running = (async () => {
    for (let turn = 0; !isOver; turn += 1) {
      const body = `While it moves ${turn}`;
      asked.add(body);
      const written = await api.ask(COMMENT, { input: { resourceId, authorId: ada, body } }).catch(() => undefined);
      if (written !== undefined) answered.push(body);
    }
  })();
  return {
    answered,
    asked,
    stop: async () => {
      isOver = true;
      await running;
    },
  };
}

describe.each(Object.keys(SCENARIOS))("%s", (name) => {
  const scenario = SCENARIOS[name] as Scenario;
  test.each(disastersAt(scenario.failpoints, Object.keys(DISASTERS)))(
    "when $victim is killed at $failpoint it finishes all the same",
    async ({ failpoint, victim }) => {
      const organization = await insist(() => createOrganization(api, "Moving"));
      await insist(() => addMember(api, organization, ada));
      const { id } = await insist(async () => {
        const granted = await grant(api, organization, "source", scenario.from);
        if (granted.state !== "ACTIVE") throw new Error(`the placement is ${granted.state}: ${granted.failure}`);
        return granted;
      });
      const resourceId = await insist(() => createResource(api, { name: "Moving", organizationId: organization }));
      await scenario.before?.(id);
      await worker.arm(failpoint);
      const writing = startWriting(resourceId);
      try {
        const asked = scenario
          .ask(id)
          .catch((error: unknown) => (error instanceof Error ? error : new Error("refused", { cause: error })));
        const stopped = worker.hear(`at ${failpoint}`);
        await Promise.race([
          stopped,
          asked.then((answer) => (answer instanceof Error ? Promise.reject(answer) : stopped)),
        ]);
        await DISASTERS[victim]?.();
        await asked;
        const isDone = async () => {
          const [row] = await sql<{ state: string; key: string; step: string | null }>(
            api.databaseUrl,
            `select p.state, r.key, m.step from tenantry.placements p join tenantry.regions r on r.id = p.region_id
             left join tenantry.moves m on m.placement_id = p.id where p.id = $1`,
            [id],
          );
          if (row?.step === "KEEPING_SOURCE" && name === "rows of a shared database") await forgetNow(id);
          return row?.state === "ACTIVE" && row.key === scenario.region && row.step === null;
        };
        const done = await eventually(() => isDone().catch(() => false), 45_000);
        expect(done, done ? "" : await standingOf(id)).toBe(true);
      } finally {
        await writing.stop();
      }
      const isSettled = async () =>
        (
          await sql(
            api.databaseUrl,
            "select from tenantry.jobs where state in ('WAITING', 'RUNNING') and placement_id = $1",
            [id],
          )
        ).length === 0;
      expect(await eventually(() => isSettled().catch(() => false), 30_000)).toBe(true);
      const bodies = [...(await insist(() => readComments(api, resourceId))).values()];
      expect(new Set(bodies).size).toBe(bodies.length);
      expect(bodies).toEqual(expect.arrayContaining(writing.answered));
      expect([...writing.asked]).toEqual(expect.arrayContaining(bodies));
      expect(await findOrphans(services)).toEqual([]);
      expect(await findStuckPlacements(services)).toEqual([]);
      await expect.poll(() => findUnrest(installation), { timeout: 20_000 }).toEqual([]);
      await expect.poll(() => findDifferences(installation), { timeout: 20_000 }).toEqual([]);
    },
    120_000,
  );
});
