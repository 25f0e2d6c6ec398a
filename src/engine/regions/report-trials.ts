/** What a process says at its start of servers that do not work. */
import { OPERATOR } from "#engine/auth/actor";
import { ensureApiRole } from "#engine/regions/api-role";
import { tryAllServers } from "#engine/regions/try-server";
import { inCall } from "#base/kernel/call";
import type { Services } from "#engine/services";

/** For all servers together; one that hangs is not waited for. */
const TRIALS_MS = 30_000;

/**
 * Says in the log what does not work on the servers, while everything starts: a region that is away keeps nobody from serving
 * the others, and a balancer may lead to the gateway only once this process is ready. Never rejects.
 */
export async function reportTrials(services: Services, stop: AbortSignal): Promise<void> {
  const { logger, pools, apiRole, homeDatabaseName: database } = services;
  const { home: server, homeAddress: address, homeSystemIdentifier: systemIdentifier } = services;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TRIALS_MS)]);
  try {
    await inCall({ signal }, async () => {
      // No process of the API may have run yet. Whether the role is let in is tried below.
      await ensureApiRole(pools, apiRole, { server, address, systemIdentifier, database });
      // A copy of home tries nothing on servers that are another home's.
      await services.ownership.lookAround();
      for (const { server: where, sentence } of await tryAllServers(services, OPERATOR))
        logger.error({ server: where }, sentence);
    });
  } catch (error) {
    if (!stop.aborted) logger.warn({ err: error }, "the servers were not tried");
  }
}
