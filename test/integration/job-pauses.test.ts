/** Jobs that fail wait before they run again, and no longer than they need to. */
import { afterEach, expect, test } from "vitest";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { requestJob } from "../../src/engine/jobs/job.ts";
import { type JobHandlers, startJobRunner } from "../../src/engine/jobs/job-runner.ts";
import { ensureTemplate } from "../../src/engine/placements/template-database.ts";
import { regionAddress } from "../../src/engine/regions/region-address.ts";
import { jobHandlers } from "../../src/job-handlers.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { startForwarder, viaPort } from "../support/forwarder.ts";
import { eventually, registerRegion } from "../support/journey.ts";
import type { GivenSettings } from "../support/settings.ts";

let stack = new AsyncDisposableStack();
afterEach(async () => {
  const done = stack;
  stack = new AsyncDisposableStack();
  await done.disposeAsync();
});

async function begin(settings: GivenSettings = {}): Promise<TestApp> {
  const app = await startApp(settings);
  stack.defer(() => app.stop());
  return app;
}

async function idOf(app: TestApp, key: string): Promise<string> {
  const [row] = await sql<{ id: string }>(app.databaseUrl, "select id from tenantry.regions where key = $1", [key]);
  return row?.id ?? "";
}

/** Jobs of every kind do that. */
function allAre(work: () => Promise<void>): JobHandlers {
  return Object.fromEntries(Object.keys(jobHandlers()).map((kind) => [kind, work])) as unknown as JobHandlers;
}

test("a job whose failure cannot be recorded does not run again and again", async () => {
  const { services } = await begin({ role: "api" });
  const { home } = services;
  // As when home takes no new connections: the session that holds the jobs goes on.
  const away = new Proxy(home, {
    get: (target, name) => {
      if (name === "query") return () => Promise.reject(new Error("home takes no new connections"));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const fail = () => Promise.reject(new Error("it fails at once"));
  const handlers = allAre(fail);
  const id = await requestJob(home, "operator", { kind: "retire-region", subject: "region:none" });
  const runner = await startJobRunner({ ...services, home: away }, handlers);
  stack.defer(() => runner.stop());
  const attempts = async () =>
    (await home.query<{ attempts: number }>("test", "select attempts from tenantry.jobs where id = $1", [id]))[0]
      ?.attempts ?? 0;
  expect(await eventually(attempts)).toBe(1);
  const spins = async () => ((await attempts()) > 5 ? true : undefined);
  expect(await waitFor(spins, { timeoutMs: 2_500 })).toBeUndefined();
});

test("a runner that is stopped leaves a job behind that does not end", async () => {
  const { services } = await begin({ role: "api" });
  const begun = Promise.withResolvers<void>();
  const refused = Promise.withResolvers<unknown>();
  const hang = async () => {
    begun.resolve();
    // Asks for something until that is refused.
    for (;;)
      try {
        await services.home.query("test", "select");
      } catch (error) {
        refused.resolve(error);
        return;
      }
  };
  const handlers = allAre(hang);
  await requestJob(services.home, "operator", { kind: "retire-region", subject: "region:none" });
  const runner = await startJobRunner(services, handlers, { stopWaitMs: 100 });
  await begun.promise;
  await runner.stop();
  expect(await refused.promise).toMatchObject({ name: "SessionLost" });
});

test("many grants that need a region's template at the same moment do not keep each other from it", async () => {
  const app = await begin();
  const { services } = app;
  await registerRegion(app, "eu", serverUrl("eu"));
  const regionId = await idOf(app, "eu");
  const address = await regionAddress(services, regionId);
  const server = services.pools.open("server", address, "postgres");
  const names = await Promise.all(
    Array.from({ length: 12 }, () => ensureTemplate(services, server, { regionId, address })),
  );
  expect(new Set(names).size).toBe(1);
});

test("jobs of a region that failed run as soon as somebody reaches its server again", async () => {
  const app = await begin();
  const { services } = app;
  const forwarder = stack.use(await startForwarder(serverUrl("eu")));
  await registerRegion(app, "eu", viaPort(serverUrl("eu"), forwarder.port));
  const regionId = await idOf(app, "eu");
  const server = services.pools.open("tenant", await regionAddress(services, regionId), "postgres");
  await forwarder.shut();
  // The first may find that an idle connection has ended; the next one cannot connect.
  for (let asked = 0; asked < 2; asked += 1) await server.query("test", "select").catch(() => undefined);
  await expect(server.query("test", "select")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const add = (subject: string, dueIn: string, error: string | null) =>
    sql(
      app.databaseUrl,
      `insert into tenantry.jobs (id, kind, subject, region_id, requested_by, input, state, attempts, last_error, due_at)
       values (gen_random_uuid(), 'provision-placement', $1, $2, 'operator', '{}', 'WAITING', $4, $5, now() + $3::interval)`,
      [subject, regionId, dueIn, error === null ? 0 : 7, error],
    );
  await add("failed", "4 minutes", "The region's server cannot be reached.");
  await add("later", "4 minutes", null);
  await add("after its grace", "7 days", "The region's server cannot be reached.");
  await forwarder.open();
  const stateOf = async () =>
    Object.fromEntries(
      (
        await sql<{ subject: string; state: string }>(
          app.databaseUrl,
          "select subject, state from tenantry.jobs where region_id = $1",
          [regionId],
        )
      ).map(({ subject, state }) => [subject, state]),
    );
  // Whoever asks next tells everybody.
  await eventually(async () => {
    await server.query("test", "select").catch(() => undefined);
    return (await stateOf())["failed"] === "DONE";
  });
  expect(await stateOf()).toEqual({ failed: "DONE", later: "WAITING", "after its grace": "WAITING" });
});
