/**
 * A region's superuser publishes what they like: with the gateway's check, and with it taken out, so that home's own guard
 * stands alone; for each way in which home makes its subscriptions. TENANTRY_HOSTILE=full tries in each way what else is tried in
 * one.
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
import { type Stage, type StageServers, startStage, startStageServers, waysOf } from "../support/hostile-region.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";
import { ATTACKS } from "../support/hostile-stream.ts";

const servers: StageServers = await startStageServers();
afterAll(() => servers[Symbol.asyncDispose]());

const isFull = process.env["TENANTRY_HOSTILE"] === "full";
const STAGES = (await waysOf(servers))
  .flatMap((way) => [
    { way, lenient: true, gateway: "home's guard alone" },
    { way, lenient: false, gateway: "the gateway's check" },
  ])
  // What the gateway refuses does not depend on whose the subscription is.
  .filter(({ way, lenient }) => lenient || isFull || way === "SUPERUSER");

describe.each(STAGES)("home by $way, with $gateway", ({ way, lenient }) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await startStage(servers, { way, lenient });
  });
  afterAll(() => stage.stop());

  test.each(ATTACKS.filter(({ inEveryWay = false }) => inEveryWay || isFull || way === "SUPERUSER"))(
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
