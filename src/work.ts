/** What works for all processes of an installation, in one of them: the gateway, the job runner and replication. */
import type { Gateway } from "#engine/border/gateway";
import { requestReview, requestReviews } from "#engine/erasure/review-erasures";
import { startPruningChanges } from "#engine/events/prune-changes";
import { noticeHomeHistory } from "#engine/home/notice-home-history";
import { type JobTimes, startJobRunner } from "#engine/jobs/job-runner";
import { type ReplicationRunner, startReplication } from "#engine/links/carry-replication";
import { REPLICATION_DEFAULTS, type ReplicationOptions } from "#engine/links/replication-options";
import { type GatewaySettings, startGateway } from "#engine/links/run-gateway";
import { startKeepingReady } from "#engine/placements/ready-databases";
import { reportTrials } from "#engine/regions/report-trials";
import type { Services } from "#engine/services";
import { JOB_HANDLERS } from "#job-handlers";

export type WorkOptions = {
  /** Left out: on loopback, at a port that is free. */
  gateway?: GatewaySettings | undefined;
  /** Over the defaults; for tests and benchmarks. */
  replication?: Partial<ReplicationOptions> | undefined;
  jobs?: JobTimes | undefined;
};

export type Work = { gateway: Gateway; replication: ReplicationRunner; stop: () => Promise<void> };

/** Starts them. On failure nothing of it is left running. */
export async function startWork(services: Services, options: WorkOptions): Promise<Work> {
  await using rollback = new AsyncDisposableStack();
  await noticeHomeHistory(services.home, requestReviews);
  void services.ownership.lookAround({ says: true });
  const gateway = await startGateway(services, options.gateway ?? { host: "127.0.0.1", port: 0 });
  rollback.defer(() => gateway.close());
  const runner = await startJobRunner(services, JOB_HANDLERS, options.jobs);
  rollback.defer(() => runner.stop());
  const replication = await startReplication(services, {
    ...REPLICATION_DEFAULTS,
    onHomeForgotten: requestReviews,
    onRegionForgotten: requestReview,
    ...options.replication,
  });
  rollback.defer(replication.stop);
  const stop = new AbortController();
  const tried = reportTrials(services, stop.signal);
  const pruning = startPruningChanges(services, stop.signal);
  const keeping = startKeepingReady(services, stop.signal);
  rollback.defer(async () => {
    stop.abort(new Error("the process stops"));
    await Promise.all([tried, pruning, keeping]);
  });
  const running = rollback.move();
  return { gateway, replication, stop: () => running.disposeAsync() };
}
