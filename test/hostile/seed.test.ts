/**
 * The program copies a region's rows when a link is made, by asking that region's server: what its superuser can
 * answer. With TENANTRY_HOSTILE=full for each method by which home makes its subscriptions.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { dropSlot, nudge, publishHonestly, sendHonest } from "../support/hostile-acts.ts";
import {
  methodsOf,
  type Stage,
  type StageServers,
  startStage,
  startStageServers,
  until,
} from "../support/hostile-region.ts";
import { SEED_ATTACKS } from "../support/hostile-seed.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";

const servers: StageServers = await startStageServers();
afterAll(() => servers[Symbol.asyncDispose]());

const METHODS = process.env["TENANTRY_HOSTILE"] === "full" ? await methodsOf(servers) : (["SUPERUSER"] as const);

describe.each(METHODS)("home by %s", (method) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(servers, { method });
  });
  afterAll(() => stage.stop());

  /** Waits until a copy was made anew, or given up. */
  const copied = async (since: Date) => {
    await until("the copy was made, or given up", async () => {
      await nudge(stage, stage.mine);
      const rows = await stage.home(
        `select from tenantry.links l where database_id = $1 and direction = 'catalog' and (failed_at >= $2 and failures > 1)
         union all select from pg_subscription where subname = $3 and oid <> $4::oid`,
        [stage.mine.databaseId, since, `${stage.mine.database}_catalog`, subscription],
      );
      return rows.length > 0;
    });
  };
  let subscription = 0;

  test.each(SEED_ATTACKS)("$what", async ({ prepare, undo }) => {
    await sendHonest(stage);
    await using restoring = new AsyncDisposableStack();
    restoring.defer(() => publishHonestly(stage));
    restoring.defer(async () => void (await undo(stage)));
    await expectHarmless(stage, async () => {
      const [row] = await stage.home<{ oid: number }>("select oid from pg_subscription where subname = $1", [
        `${stage.mine.database}_catalog`,
      ]);
      subscription = row?.oid ?? 0;
      await prepare(stage);
      const since = new Date();
      await dropSlot(stage);
      await copied(since);
    });
    await restoring.disposeAsync();
    // The link mends itself: what is honest arrives again.
    await sendHonest(stage);
  });
});
