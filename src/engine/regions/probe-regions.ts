/** Asking the servers of regions that there are what they are and have. */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { notFound, TenantryError } from "#base/kernel/errors";
import { parsePoolUrl } from "#base/postgres/connection-url";
import { type ServerProbe, probeServer } from "#base/postgres/probe";
import { checkPooler, type PoolerCheck } from "#engine/regions/pooler";
import { SWEEP_DEFAULTS } from "#engine/replication/sweep";
import { findAdvice, whyUnfit } from "#engine/servers/region-requirements";
import type { Region, RegionsContext, RegionsContextOfApi } from "#engine/regions/regions";
import { regionServer, regionServers } from "#engine/regions/region-address";
import type { Ownership } from "#engine/regions/ownership";
import { MAINTENANCE_DATABASE, probeAt } from "#engine/servers/server-probe";

/** What stands beside other things on a page is waited for this long: a region that is away keeps nobody waiting. */
export const MAX_LOOK_MS = 3_000;

/** Asks the region's server for its version, bounded by the connection timeout; null when it cannot be reached. */
export async function probeRegion(context: RegionsContext, regionId: string): Promise<ServerProbe | null> {
  const [probe = null] = await probeRegions(context, [regionId]);
  if (probe instanceof Error) throw probe;
  return probe;
}

/** The same for several regions at once, in their order; an error is the region's own. */
export async function probeRegions(
  context: RegionsContext,
  regionIds: readonly string[],
): Promise<(ServerProbe | null | Error)[]> {
  const probes = await probeEach(context, regionIds);
  return probes.map((probe) => (isUnreachable(probe) ? null : probe));
}

/** Whether a server gave no answer, which {@link probeEach} gives the reason of. */
export function isUnreachable(probe: ServerProbe | Error): probe is TenantryError {
  return probe instanceof TenantryError && probe.code === "REGION_UNAVAILABLE";
}

/** The same with the reason where a region's server cannot be reached. */
export async function probeEach(
  context: RegionsContext,
  regionIds: readonly string[],
): Promise<(ServerProbe | Error)[]> {
  const servers = await regionServers(context, regionIds);
  const probe = async (id: string) => {
    const server = servers.get(id);
    if (server === undefined) return notFound("Region");
    return probeAt(context.pools, server.address).catch((error: unknown) =>
      error instanceof Error ? error : new Error("the probe failed", { cause: error }),
    );
  };
  return Promise.all(regionIds.map(probe));
}

/**
 * Probes a region's server for the operator: what it is and has, and what keeps it from being used, if anything does.
 * REGION_UNAVAILABLE when it cannot be reached.
 */
export async function checkRegion(
  context: RegionsContextOfApi & { ownership: Ownership },
  actor: Actor,
  { id, poolUrl }: Region,
): Promise<{ probe: ServerProbe; obstacle: string | undefined; advice: string[]; pooler: PoolerCheck | null }> {
  authorizeOperator(actor);
  const { address, systemIdentifier } = await regionServer(context, id);
  const probe = await probeAt(context.pools, address);
  const refusal = await whyRefused(context.ownership, id);
  const obstacle = refusal ?? whyUnfit(probe);
  // Home subscribes to the catalogs.
  const atHome = findAdvice(
    await probeServer(context.pools.open("home", context.homeAddress, context.homeDatabaseName)),
    SWEEP_DEFAULTS,
  ).map((sentence) => `Home: ${sentence}`);
  const advice = [...findAdvice(probe, SWEEP_DEFAULTS), ...atHome];
  if (poolUrl === null || refusal !== undefined) return { probe, obstacle, advice, pooler: null };
  const database = MAINTENANCE_DATABASE;
  const pooler = await context.pools.once(address, database, (server) =>
    checkPooler(
      context,
      parsePoolUrl(poolUrl, "poolUrl"),
      { server, address, systemIdentifier, database },
      probe.systemIdentifier,
    ),
  );
  return { probe, obstacle: obstacle ?? pooler.obstacle ?? undefined, advice, pooler };
}

/** Why this home may not write there, in one sentence. */
async function whyRefused(ownership: Ownership, regionId: string): Promise<string | undefined> {
  try {
    await ownership.require(regionId);
    return undefined;
  } catch (error) {
    if (error instanceof TenantryError) return error.message;
    throw error;
  }
}
