/**
 * At the region's address answers something that is no PostgreSQL. The process lives, its memory is bounded, the other region is
 * carried, also by a process that starts meanwhile, and the process ends when it is told to.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startApp } from "../support/app.ts";
import { nudge, sendHonest } from "../support/hostile-acts.ts";
import { type Stage, type StageServers, startStage, startStageServers, until } from "../support/hostile-region.ts";
import { PRETENCES } from "../support/hostile-server.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";

// Whoever answers without end does so in this program too, and slows the tests with it.
vi.setConfig({ testTimeout: 180_000 });

let servers: StageServers;
let stage: Stage;

beforeAll(async () => {
  servers = await startStageServers();
  stage = await startStage(servers, { method: "SUPERUSER" });
});
afterAll(async () => {
  await stage.stop();
  await servers[Symbol.asyncDispose]();
});

/** All that the process has from the system. */
const memory = () => process.memoryUsage().rss;
/** A few connections with an answer of 64 MB each, and what the collector has not given back yet. Unbounded it was 3.6 GB. */
const MAX_GROWTH = 1024 * 1024 * 1024;

/** Has the carrier, the gateway, the sweep and the API talk to the region; none of them is waited for. */
async function busy({ app, mine }: Stage): Promise<void> {
  for (const direction of ["directory", "catalog"])
    await stage.home("select pg_notify('tenantry_nudge', $1)", [`${mine.databaseId} ${direction}`]);
  void app.sweep().catch(() => undefined);
  void app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: mine.resource }).catch(() => undefined);
}

test.each(PRETENCES)("it $what", async ({ handle }) => {
  await sendHonest(stage);
  const before = memory();
  let most = before;
  {
    using _ = servers.euByProxy.replace(handle);
    await expectHarmless(stage, async () => {
      // Watched for a while: what grows without a bound has grown by then.
      const end = performance.now() + 1_500;
      let next = 0;
      await until("a while is over", async () => {
        if (performance.now() >= next) await busy(stage);
        if (performance.now() >= next) next = performance.now() + 500;
        most = Math.max(most, memory());
        return performance.now() > end;
      });
    });
    await nudge(stage, stage.mine);
    most = Math.max(most, memory());
  }
  expect(most - before).toBeLessThan(MAX_GROWTH);
  await sendHonest(stage);
});

test("a process that starts while a region answers nothing carries the others, and ends when it is told to", async () => {
  const silent = PRETENCES.find(({ what }) => what === "lets everybody in and says nothing");
  using _ = servers.euByProxy.replace(silent?.handle ?? (() => undefined));
  const { databaseUrl, secretKey } = stage.app;
  await stage.app.stop();
  const app = await startApp({ databaseUrl, secretKey, replication: { sweepIntervalMs: 3_600_000 } });
  stage.app = app;
  await stage.writeElsewhere();
  await until("the other region is carried", async () => {
    const rows = await stage.home("select from pg_subscription where subname = $1 and subenabled", [
      `${stage.other.database}_catalog`,
    ]);
    return rows.length > 0;
  });
});
