/** Carries one region in this process: its carrier and its sweep, from when its lock was taken until it is given up. */
import { randomBytes } from "node:crypto";
import { bindToCall, inCallToo, withStatementTimeout } from "#base/kernel/call";
import type { TenantryError } from "#base/kernel/errors";
import { Semaphore } from "#base/kernel/semaphore";
import { delay, endsWithin } from "#base/kernel/wait";
import { Wakeup } from "#base/kernel/wakeup";
import { failedAt } from "#base/postgres/failed-at";
import { probeServer, startsWorkersSlowly } from "#base/postgres/probe";
import { readServerHistory, type ServerHistory } from "#base/postgres/server-history";
import { isConnectionFailure } from "#base/postgres/sql-state";
import { noticeHomeHistory } from "#engine/home/notice-home-history";
import { listCarriedRegions, listReplicatedDatabases } from "#engine/home/replicated-databases";
import type { ReplicationOptions } from "#engine/links/replication-options";
import { linksAt } from "#engine/links/tenant-links";
import { mendApiRights } from "#engine/regions/api-rights";
import { ensureApiRoleIn } from "#engine/regions/api-role-in-region";
import { NotOwner } from "#engine/regions/not-owner";
import { type RegionServer, regionServer } from "#engine/regions/region-address";
import { permitsFor } from "#engine/replication/capacity";
import { Carrier } from "#engine/replication/carrier";
import type { Link } from "#engine/replication/link";
import { wasSeededOnOther } from "#engine/replication/link-record";
import { MendPermits, whileAnswering } from "#engine/replication/mend-permits";
import { linkName, scoutName } from "#engine/replication/names";
import { WakeSpans } from "#engine/replication/wake-spans";
import type { LinkId } from "#engine/replication/nudge";
import { sweep } from "#engine/replication/sweep";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

/** Sweeps at once: each holds a connection to home for as long as it takes. */
const MAX_SWEEPS = 4;
const sweepPermits = new Semaphore(MAX_SWEEPS);
const mends = new MendPermits();
/**
 * A single statement while a region is taken over, and while it is swept. What waits on a connection that was forgotten on its way
 * waits that long, and nothing is swept meanwhile: a sweep's longest statement takes well below a second with 1,000 databases.
 */
const TAKE_STATEMENT_MS = 10_000;
const SWEEP_STATEMENT_MS = 20_000;
/** While something of a region is broken, its server is asked this often whether it answers. */
const ASK_MS = 1_000;
const ASK_STATEMENT_MS = 5_000;

export type CarriedRegion = {
  /** `host:port` of its server. */
  readonly server: string;
  readonly carrier: Carrier;
  /** Sweeps now; resolves when done. */
  readonly sweepOnce: () => Promise<void>;
  /** Has the next sweep come at once. */
  readonly sweepSoon: () => void;
  /**
   * Parks what is awake as far as the servers answer within the time that a region is waited for, and ends. Afterwards nothing
   * of it acts any more. Returns whether everything had ended by itself.
   */
  readonly stop: () => Promise<boolean>;
};

async function makeCarrier(services: Services, regionId: string, options: ReplicationOptions, restart: () => void) {
  await services.ownership.requireToCarry(regionId);
  const known = await regionServer(services, regionId);
  const { address, systemIdentifier } = known;
  const region = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const [homeProbe, regionProbe, regions] = await Promise.all([
    probeServer(services.home),
    probeServer(region),
    listCarriedRegions(services),
  ]);
  if (regionProbe.systemIdentifier !== systemIdentifier)
    services.logger.warn(
      `the server of region ${known.key} has its mark and another system identifier than home knows: run tenantry region update ${known.key}`,
    );
  await noticeHomeHistory(services.home, options.onHomeForgotten);
  const [homeHistory, regionHistory] = await Promise.all([readServerHistory(services.home), readServerHistory(region)]);
  await noticeRegionHistory(services, regionId, regionHistory, options);
  const addresses = await services.border.addresses();
  const openAt = async (id: LinkId, at: RegionServer): Promise<Link | undefined> => {
    const [[row], before] = await Promise.all([
      listReplicatedDatabases(services, { databaseId: id.databaseId }),
      services.border.toldBefore(id.databaseId),
    ]);
    return row === undefined ? undefined : linksAt(services, row, { server: at, addresses, before })?.[id.direction];
  };
  const openLink = (id: LinkId) => openAt(id, known);
  // A link is mended by writing anew what another home may have written.
  const reopenLink = async (id: LinkId) => {
    await services.ownership.require(regionId);
    return openAt(id, await regionServer(services, regionId));
  };
  const report = (message: string, error?: unknown) => {
    // That the server is away is said once, where it is noticed (engine/regions/report-reach.ts).
    const isKnown = isConnectionFailure(error) && failedAt(error)?.region === known.key;
    const fields = { region: known.key, ...(error === undefined ? {} : { err: error }) };
    services.logger[isKnown ? "debug" : "warn"](fields, `replication: ${message}`);
  };
  const capacity = permitsFor(homeProbe, regionProbe, regions.length);
  const startsSlowly = { directory: startsWorkersSlowly(regionProbe), catalog: startsWorkersSlowly(homeProbe) };
  const carrier = new Carrier(
    {
      home: services.home,
      region,
      openLink,
      reopenLink,
      capacity,
      mends,
      startsSlowly,
      timelines: { home: homeHistory.timeline, region: regionHistory.timeline },
      onFork: restart,
      count: (what, direction) =>
        what === "wake"
          ? services.metrics.linkWoken(known.key, direction)
          : services.metrics.linkReseeded(known.key, direction),
      report,
      spans: new WakeSpans(services.tracing, known.key),
    },
    options.carrier,
  );
  return { carrier, region, openLink, report, server: `${address.host}:${address.port}` };
}

type Parts = Awaited<ReturnType<typeof makeCarrier>>;

/** Before its links are seeded anew, as that makes the difference go. */
async function noticeRegionHistory(
  { home }: Pick<Services, "home">,
  regionId: string,
  { history }: ServerHistory,
  { onRegionForgotten }: ReplicationOptions,
): Promise<void> {
  if (await wasSeededOnOther(home, regionId, history)) await onRegionForgotten(home, regionId);
}

/** The API's role is there, with its password, and has its rights in the tenant databases. */
async function admitApi(services: Services, regionId: string): Promise<TenantryError | undefined> {
  const refusal = await ensureApiRoleIn(services, regionId);
  for (const database of await mendApiRights(services, regionId))
    services.logger.warn(`the API's role had no rights in ${database}: it has them again`);
  return refusal;
}

/**
 * Takes the region over. Rejects when home or the region's server does not answer. `restart` is called when the region has to be
 * begun anew.
 */
export async function carryRegion(
  services: Services,
  regionId: string,
  options: ReplicationOptions,
  restart: () => void,
): Promise<CarriedRegion> {
  const over = new AbortController();
  return inCallToo({ signal: over.signal }, async () => {
    try {
      return await begin(services, regionId, options, { over, restart });
    } catch (error) {
      over.abort(new Error("the region was not taken over"));
      throw error;
    }
  });
}

async function begin(
  services: Services,
  regionId: string,
  options: ReplicationOptions,
  { over, restart }: { over: AbortController; restart: () => void },
): Promise<CarriedRegion> {
  const inItsCall = bindToCall();
  const parts = await withStatementTimeout(TAKE_STATEMENT_MS, () => makeCarrier(services, regionId, options, restart));
  const { carrier, region, report, server } = parts;
  carrier.start();
  // Where home or the server was restored, the API's password there may be another one. Beside: replication needs none of it.
  const admitting = withStatementTimeout(TAKE_STATEMENT_MS, () => admitApi(services, regionId)).then(
    (refusal) => refusal !== undefined && report("the API is kept out of the region's server", refusal),
    (error: unknown) => !over.signal.aborted && report("the API's role was not checked", error),
  );
  const stop = new AbortController();
  const sweepSoon = new Wakeup();
  const sweepOnce = makeSweep(services, regionId, options, { ...parts, stop: stop.signal });
  const sweeping = repeat(stop.signal, async () => {
    await sweepOnce().catch((error: unknown) => {
      if (!stop.signal.aborted && !(error instanceof NotOwner)) report("a sweep failed", error);
    });
    await sweepSoon.sleep(options.sweepIntervalMs, stop.signal);
  });
  // Its answer is heard of by whoever waits for good news of the server.
  const asking = repeat(stop.signal, async () => {
    await delay(ASK_MS, stop.signal).catch(() => undefined);
    if (carrier.isTroubled && !stop.signal.aborted)
      await withStatementTimeout(ASK_STATEMENT_MS, () => region.query("region.ask", "select")).catch(() => undefined);
  });
  return {
    server,
    carrier,
    sweepOnce: () => inItsCall(sweepOnce),
    sweepSoon: () => sweepSoon.wake(),
    stop: async () => {
      stop.abort(new Error("the region was given up"));
      const leavesRegion = services.ownership.isLost(regionId);
      const stopped = Promise.all([admitting, sweeping, asking, carrier.stop({ leavesRegion })]);
      const ended = await endsWithin(stopped, options.stopWaitMs);
      over.abort(new Error("the region was given up"));
      return ended;
    },
  };
}

async function repeat(stop: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!stop.aborted) await work();
}

/** Returns what sweeps the region once. */
function makeSweep(
  services: Pick<Services, "home" | "installation" | "ledger" | "ownership">,
  regionId: string,
  options: ReplicationOptions,
  { carrier, region, openLink, stop }: Pick<Parts, "carrier" | "region" | "openLink"> & { stop: AbortSignal },
): () => Promise<void> {
  const checkedAt = new Map<number, string>();
  const refusedAt = new Map<number, string>();
  return async () => {
    await services.ownership.require(regionId);
    const databases = await withStatementTimeout(TAKE_STATEMENT_MS, () =>
      listReplicatedDatabases(services, { regionId }),
    );
    const links = databases.flatMap(({ databaseId }): LinkId[] => [
      { databaseId, direction: "directory" },
      { databaseId, direction: "catalog" },
    ]);
    const context = {
      home: services.home,
      regionId,
      region,
      links,
      nameOf: (id: LinkId) => linkName(services.installation, id.databaseId, id.direction),
      openLink,
      carrier,
      checkedAt,
      newScoutName: () => scoutName(services.installation, randomBytes(6).toString("hex")),
      refusedAt,
      onRefused: (databaseId: number, sentence: string) =>
        services.ledger.refused({ databaseId, direction: "catalog", code: "row-refused", sentence }),
    };
    // A region that does not answer takes no permit, or gives its own back.
    const history = await withStatementTimeout(TAKE_STATEMENT_MS, () => readServerHistory(region));
    const sweepNow = () =>
      withStatementTimeout(SWEEP_STATEMENT_MS, async () => {
        await noticeRegionHistory(services, regionId, history, options);
        await sweep(context, options.limits);
      });
    await sweepPermits.withPermit(() => whileAnswering(region, ASK_STATEMENT_MS, sweepNow), stop);
  };
}
