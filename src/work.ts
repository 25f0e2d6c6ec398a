/** What works for all processes of an installation, in one of them: the gateway, the job runner and replication. */
import { OPERATOR } from "#engine/auth/actor";
import type { Gateway } from "#engine/border/gateway";
import { inCall } from "#base/kernel/call";
import { noticeHomeHistory } from "#engine/home/notice-home-history";
import { startJobRunner } from "#engine/jobs/job-runner";
import {
  REPLICATION_DEFAULTS,
  type ReplicationOptions,
  type ReplicationRunner,
  startReplication,
} from "#engine/links/carry-replication";
import { type GatewaySettings, startGateway } from "#engine/links/run-gateway";
import { ensureApiRole } from "#engine/regions/api-role";
import { tryAllServers } from "#engine/regions/try-server";
import type { Services } from "#engine/services";
import { JOB_HANDLERS } from "#job-handlers";

/** For all servers together; one that hangs is not waited for. */
const TRIALS_MS = 30_000;

export type WorkOptions = {
  /** Left out: on loopback, at a port that is free. */
  gateway?: GatewaySettings | undefined;
  /** Over the defaults; for tests and benchmarks. */
  replication?: Partial<ReplicationOptions> | undefined;
};

export type Work = { gateway: Gateway; replication: ReplicationRunner; stop: () => Promise<void> };

/** Starts them. On failure nothing of it is left running. */
export async function startWork(services: Services, options: WorkOptions): Promise<Work> {
  await using rollback = new AsyncDisposableStack();
  await noticeHomeHistory(services.home);
  const gateway = await startGateway(services, options.gateway ?? { host: "127.0.0.1", port: 0 });
  rollback.defer(() => gateway.close());
  const runner = await startJobRunner(services, JOB_HANDLERS);
  rollback.defer(() => runner.stop());
  const replication = await startReplication(services, { ...REPLICATION_DEFAULTS, ...options.replication });
  rollback.defer(replication.stop);
  const stop = new AbortController();
  const tried = reportTrials(services, stop.signal);
  rollback.defer(async () => {
    stop.abort(new Error("the process stops"));
    await tried;
  });
  const running = rollback.move();
  return { gateway, replication, stop: () => running.disposeAsync() };
}

/**
 * Says in the log what does not work on the servers, while everything starts: a region that is away keeps nobody from serving
 * the others, and a balancer may lead to the gateway only once this process is ready.
 */
async function reportTrials(services: Services, stop: AbortSignal): Promise<void> {
  const { logger, pools, apiRole, homeDatabaseName: database } = services;
  const { home: server, homeAddress: address, homeSystemIdentifier: systemIdentifier } = services;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TRIALS_MS)]);
  try {
    await inCall({ signal }, async () => {
      // No process of the API may have run yet. Whether the role is let in is tried below.
      await ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database });
      for (const { server: where, sentence } of await tryAllServers(services, OPERATOR))
        logger.error({ server: where }, sentence);
    });
  } catch (error) {
    if (!stop.aborted) logger.warn({ err: error }, "the servers were not tried");
  }
}
