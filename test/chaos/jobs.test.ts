/**
 * Every job is stopped at every failpoint by killing the process that runs it, home's server or the region's server;
 * afterwards it must finish by itself, and nothing half made may stay anywhere. Which of the three is killed where,
 * failpoints.ts says.
 */
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLogger } from "../../src/base/observability/logger.ts";
import { findOrphans, findStuckPlacements } from "../../src/engine/doctor/find-orphans.ts";
import { requestReviews } from "../../src/engine/erasure/review-erasures.ts";
import type { JOBS } from "../../src/engine/jobs/job.ts";
import { requestReadyDatabases } from "../../src/engine/placements/ready-databases.ts";
import type { Services } from "../../src/engine/services.ts";
import { closeServices, createServices } from "../../src/services.ts";
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
import { disastersAt, failpointsOf } from "./failpoints.ts";
import { insist, Worker } from "./worker.ts";
import { findDifferences, findUnrest, type Installation } from "../support/replication-truth.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

type WorkerKind = {
  [Kind in keyof typeof JOBS]: (typeof JOBS)[Kind]["runBy"] extends "worker" ? Kind : never;
}[Exclude<keyof typeof JOBS, MoveKind>];
/** They have three servers, and writers: moves.test.ts. */
type MoveKind = "move-placement" | "forget-source";

let home: OwnServer;
let region: OwnServer;
/** The API, which takes no part in the work. */
let api: TestApp;
let services: Services;
let worker: Worker;
let installation: Installation;
let options: object;

beforeAll(async () => {
  [home, region] = await Promise.all([startServer(), startServer()]);
  const exportFolder = temporaryFolder();
  api = await startApp({ homeServer: home.url(), role: "api", exportFolder });
  const { databaseUrl, secretKey } = api;
  options = {
    databaseUrl,
    secretKey,
    exportFolder,
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
  await registerRegion(api, "own", region.url());
  installation = { homeUrl: databaseUrl, regionUrl: (_, database) => region.url(database) };
}, 60_000);
afterAll(async () => {
  await worker.kill();
  await closeServices(services);
  await api.stop();
  await home[Symbol.asyncDispose]();
  await region[Symbol.asyncDispose]();
});

/** What goes wrong while the job stands at the failpoint. */
const DISASTERS: Record<string, () => Promise<void>> = {
  "the process": async () => {
    await worker.kill();
    worker = await Worker.start(options);
  },
  "home's server": async () => {
    await home.server.kill();
    worker.goOn();
    await home.server.start();
  },
  "the region's server": async () => {
    await region.server.kill();
    worker.goOn();
    await region.server.start();
  },
};

const GRANT = "mutation ($input: GrantRegionAccessInput!) { grantRegionAccess(input: $input) { id state } }";
const REVOKE = "mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }";

async function placed(
  isolation: "DEDICATED" | "SHARED" = "DEDICATED",
): Promise<{ organization: string; placement: string }> {
  const organization = await insist(() => createOrganization(api, "Crashed"));
  await insist(async () => addMember(api, organization, await createUser(api, "Member")));
  const placement = await insist(async () => {
    const granted = await grant(api, organization, "own", isolation);
    if (granted.state !== "ACTIVE") throw new Error(`the placement is ${granted.state}: ${granted.failure}`);
    return granted.id;
  });
  await insist(() => createResource(api, { name: "Resource", organizationId: organization }));
  return { organization, placement };
}

/** For each kind: what to have before, how to ask for it, and what must be true when it is done. */
type Scenario = () => Promise<{ ask: () => Promise<unknown>; isDone: () => Promise<boolean> }>;
const SCENARIOS: Record<WorkerKind, Scenario> = {
  "provision-placement": async () => {
    const organization = await insist(() => createOrganization(api, "Provisioned"));
    const ask = () => api.ask(GRANT, { input: { organizationId: organization, regionKey: "own" } });
    return { ask, isDone: async () => (await ask()).grantRegionAccess.state === "ACTIVE" };
  },
  "revoke-placement": async () => {
    const { placement } = await placed();
    const input = { placementId: placement, confirm: "Crashed", skipGrace: true, exportFirst: true };
    return {
      ask: () => api.ask(REVOKE, { input }),
      isDone: async () =>
        (await sql(api.databaseUrl, "select from tenantry.placements where id = $1", [placement])).length === 0,
    };
  },
  "erase-user": async () => {
    const { user, rowsLeft } = await authored();
    const due = "select from tenantry.erasures where user_id = $1 and home_is_due";
    return {
      ask: () => api.ask(ERASE, { id: user }),
      isDone: async () => (await rowsLeft()) === 0 && (await sql(api.databaseUrl, due, [user])).length === 0,
    };
  },
  "review-erasures": async () => {
    const { user, rowsLeft } = await authored();
    await insist(() => api.ask(ERASE, { id: user }));
    // As in a home that was restored.
    await sql(api.databaseUrl, "delete from tenantry.erasures where user_id = $1", [user]);
    const forgotten = "update tenantry.users set name = 'Author', erased_at = null where id = $1";
    await sql(api.databaseUrl, forgotten, [user]);
    return {
      ask: () => requestReviews(services.home),
      isDone: async () => {
        const erased = "select from tenantry.users where id = $1 and erased_at is not null and name = 'Erased user'";
        return (await sql(api.databaseUrl, erased, [user])).length === 1 && (await rowsLeft()) === 0;
      },
    };
  },
  "retire-region": async () => {
    // Whatever the others have left is revoked first.
    const rows = await sql<{ id: string; name: string; state: string }>(
      api.databaseUrl,
      "select p.id, p.state, o.name from tenantry.placements p join tenantry.organizations o on o.id = p.organization_id",
    );
    for (const { id, name } of rows)
      await insist(() => api.ask(REVOKE, { input: { placementId: id, confirm: name, skipGrace: true } }));
    const isEmpty = async () => (await sql(api.databaseUrl, "select from tenantry.placements")).length === 0;
    expect(await eventually(isEmpty, 30_000)).toBe(true);
    // A grant leaves the template that retiring has to drop.
    const { placement } = await placed();
    await insist(() => api.ask(REVOKE, { input: { placementId: placement, confirm: "Crashed", skipGrace: true } }));
    expect(await eventually(isEmpty, 30_000)).toBe(true);
    return {
      ask: () => api.ask('mutation { retireRegion(input: { key: "own" }) { key } }'),
      isDone: async () => {
        const gone = (await sql(api.databaseUrl, "select from tenantry.regions")).length === 0;
        if (gone) await registerRegion(api, "own", region.url());
        return gone;
      },
    };
  },
  // The last one: from here on the workers keep a database ready.
  "keep-ready-databases": async () => {
    if (!("readyDatabases" in options)) {
      options = { ...options, readyDatabases: 1 };
      await worker.kill();
      worker = await Worker.start(options);
    }
    const ready = async () =>
      (await sql(api.databaseUrl, "select from tenantry.tenant_databases where ready_state = 'READY'")).length === 1;
    const [own] = await sql<{ id: string }>(api.databaseUrl, "select id from tenantry.regions where key = 'own'");
    await insist(() => requestReadyDatabases(services.home, own?.id ?? ""));
    expect(await eventually(async () => (await ready()) && (await isSettled()), 30_000)).toBe(true);
    const organization = await insist(() => createOrganization(api, "From the stock"));
    const ask = () => api.ask(GRANT, { input: { organizationId: organization, regionKey: "own" } });
    return { ask, isDone: async () => (await ask()).grantRegionAccess.state === "ACTIVE" && (await ready()) };
  },
};

/** A comment of a new user in a placement of each kind, and how many rows still have the user's id. */
async function authored(): Promise<{ user: string; rowsLeft: () => Promise<number> }> {
  const user = await insist(() => createUser(api, "Author"));
  for (const isolation of ["DEDICATED", "SHARED"] as const) {
    const { organization } = await placed(isolation);
    await insist(() => addMember(api, organization, user));
    const resource = await insist(() => createResource(api, { name: "Resource", organizationId: organization }, user));
    await insist(() => comment(api, resource, user));
  }
  const databases = await sql<{ name: string }>(
    api.databaseUrl,
    "select name from tenantry.tenant_databases where engine_version is not null",
  );
  const count = `select (select count(*) from app.resources where created_by = $1)
    + (select count(*) from app.comments where author_id = $1) as rows`;
  const rowsLeft = async () => {
    const counts = await Promise.all(
      databases.map(({ name }) => sql<{ rows: string }>(region.url(name), count, [user])),
    );
    return counts.flat().reduce((sum, { rows }) => sum + Number(rows), 0);
  };
  expect(await insist(rowsLeft)).toBeGreaterThanOrEqual(4);
  return { user, rowsLeft };
}

const ERASE = "mutation ($id: ID!) { eraseUser(id: $id) { complete } }";

async function isSettled(): Promise<boolean> {
  const open = await sql(api.databaseUrl, "select from tenantry.jobs where state in ('WAITING', 'RUNNING')");
  return open.length === 0;
}

/** What only happens where placements share a database. */
const SHARED_SCENARIOS: { kind: WorkerKind; what: string; steps: readonly string[]; scenario: Scenario }[] = [
  {
    kind: "revoke-placement",
    what: "from a database that another organization goes on using",
    steps: ["delete-rows", "withdraw-directory"],
    scenario: async () => {
      const staying = await placed("SHARED");
      const { placement } = await placed("SHARED");
      const input = { placementId: placement, confirm: "Crashed", skipGrace: true };
      return {
        ask: () => api.ask(REVOKE, { input }),
        isDone: async () => {
          await createResource(api, { name: "Still here", organizationId: staying.organization });
          return (
            (await sql(api.databaseUrl, "select from tenantry.placements where id = $1", [placement])).length === 0
          );
        },
      };
    },
  },
];

describe.each(SHARED_SCENARIOS)("$kind $what", ({ kind, steps, scenario }) => {
  const failpoints = failpointsOf(kind).filter((one) => steps.some((step) => one.includes(`/${step}/`)));
  test.each(disastersAt(failpoints, Object.keys(DISASTERS)))(
    "when $victim is killed at $failpoint it finishes all the same",
    ({ failpoint, victim }) => survives(scenario, failpoint, victim),
    60_000,
  );
});

describe.each(Object.keys(SCENARIOS) as WorkerKind[])("%s", (kind) => {
  test.each(disastersAt(failpointsOf(kind), Object.keys(DISASTERS)))(
    "when $victim is killed at $failpoint it finishes all the same",
    ({ failpoint, victim }) => survives(SCENARIOS[kind], failpoint, victim),
    60_000,
  );
});

async function survives(scenario: Scenario, failpoint: string, victim: string): Promise<void> {
  const { ask, isDone } = await scenario();
  await worker.arm(failpoint);
  // What is refused ends the test; what breaks off because a server was killed does not.
  const asked = ask().catch((error: unknown) =>
    error instanceof Error ? error : new Error("refused", { cause: error }),
  );
  const stopped = worker.hear(`at ${failpoint}`);
  await Promise.race([stopped, asked.then((answer) => (answer instanceof Error ? Promise.reject(answer) : stopped))]);
  await DISASTERS[victim]?.();
  await asked;
  expect(await eventually(() => isDone().catch(() => false), 30_000)).toBe(true);
  expect(await eventually(() => isSettled().catch(() => false), 30_000)).toBe(true);
  expect(await findOrphans(services)).toEqual([]);
  expect(await findStuckPlacements(services)).toEqual([]);
  await expect.poll(() => findUnrest(installation), { timeout: 20_000 }).toEqual([]);
  // What was written while home was coming back had nobody to tell: a sweep finds it.
  await expect.poll(() => findDifferences(installation), { timeout: 20_000 }).toEqual([]);
}
