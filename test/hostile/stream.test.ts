/**
 * A region's superuser publishes what they like: with the gateway's check, and with it taken out, so that home's own
 * guard stands alone; for each method by which home makes its subscriptions. TENANTRY_HOSTILE=full tries with each
 * method what else is tried with one.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import {
  applyErrors,
  haltedApplying,
  passedBy,
  publishHonestly,
  refusedAlone,
  sendHonest,
} from "../support/hostile-acts.ts";
import { methodsOf, type Stage, type StageServers, startStage, startStageServers } from "../support/hostile-region.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";
import { ATTACKS } from "../support/hostile-stream.ts";

const servers: StageServers = await startStageServers();
afterAll(() => servers[Symbol.asyncDispose]());

const isFull = process.env["TENANTRY_HOSTILE"] === "full";
const STAGES = (await methodsOf(servers))
  .flatMap((method) => [
    { method, lenient: true, gateway: "home's guard alone" },
    { method, lenient: false, gateway: "the gateway's check" },
  ])
  // What the gateway refuses does not depend on whose the subscription is.
  .filter(({ method, lenient }) => lenient || isFull || method === "SUPERUSER");

describe.each(STAGES)("home by $method, with $gateway", ({ method, lenient }) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(servers, { method, lenient });
  });
  afterAll(() => stage.stop());

  test.each(ATTACKS.filter(({ withEveryMethod = false }) => withEveryMethod || isFull || method === "SUPERUSER"))(
    "$what",
    async ({ refusedAs, lenient: fate, strike, undo }) => {
      // The link is awake from here on: what is written goes into the stream at once.
      await sendHonest(stage);
      const since = new Date();
      await expectHarmless(stage, async () => {
        const errors = await applyErrors(stage, stage.mine);
        await strike(stage);
        if (fate === "refused" || (!lenient && refusedAs !== undefined)) await refusedAlone(stage, since, refusedAs);
        else if (fate === "halts") await haltedApplying(stage, errors);
        else await passedBy(stage, errors);
      });
      await undo?.(stage);
      await publishHonestly(stage);
      // The link mends itself: what is honest arrives again.
      await sendHonest(stage);
    },
  );
});
