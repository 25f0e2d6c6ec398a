/**
 * Carries replication in this process: takes the regions that nobody else carries, runs a carrier and the sweep for
 * each, and gives them up when the process ends, however it ends.
 */
import { withStatementTimeout } from "#base/kernel/call";
import { Wakeup } from "#base/kernel/wakeup";
import { listReplicatedDatabases } from "#engine/home/replicated-databases";
import { carryRegion } from "#engine/links/carry-region";
import { KeptNudges } from "#engine/links/kept-nudges";
import type { ReplicationOptions } from "#engine/links/replication-options";
import { lead, type Tenure } from "#engine/links/tenure";
import { REGION_CHANNEL } from "#engine/regions/regions";
import { SERVER_ANSWERS_CHANNEL } from "#engine/regions/server-answers";
import { BREACH_CHANNEL, parseBreach } from "#engine/replication/breach";
import type { Carrier } from "#engine/replication/carrier";
import { breachOf } from "#engine/replication/damage";
import { type LinkId, NUDGE_CHANNEL, parseNudge, type Told } from "#engine/replication/nudge";
import type { Services } from "#engine/services";

/** Home is asked in which region a tenant database is, for this long. */
const FIND_REGION_MS = 5_000;

export type ReplicationRunner = {
  stop: () => Promise<void>;
  /** Sweeps every region carried here, now; resolves when done. One that is begun anew meanwhile is swept then. For tests. */
  sweepNow: () => Promise<void>;
};

/** Starts; resolves when the first look for regions is done. */
export async function startReplication(services: Services, options: ReplicationOptions): Promise<ReplicationRunner> {
  const stop = new AbortController();
  const findRegionOf = rememberRegions(services);
  const kept = new KeptNudges();
  const wanted = new Wakeup();
  let tenure: Tenure | undefined;
  let look = Promise.withResolvers<void>();

  const stopListening = await hearOfLinks(services, {
    deliver,
    sweepAll: () => {
      for (const { sweepSoon } of tenure?.carried.values() ?? []) sweepSoon();
    },
  });

  // Its address, its password, its standing or its owner changed: its carrier starts anew with what home says now.
  const stale = new Set<string>();
  const renew = (regionId: string) => {
    for (const id of regionId === "" ? (tenure?.carried.keys() ?? []) : [regionId]) stale.add(id);
    wanted.wake();
  };
  const stopHearingRegions = await services.listener.on(REGION_CHANNEL, renew);
  const stopHearingOwners = services.ownership.onChange(renew);
  const stopHearingServers = await services.listener.on(SERVER_ANSWERS_CHANNEL, (server) => tenure?.answers(server));

  async function deliver(id: LinkId, told: Told): Promise<void> {
    const regionId = await withStatementTimeout(FIND_REGION_MS, () => findRegionOf(id.databaseId));
    if (regionId === undefined) return;
    const region = tenure?.carried.get(regionId);
    if (region !== undefined) return region.carrier.nudge(id, told);
    // Perhaps registered a moment ago, or given up by a process that ended: do not wait for the next look.
    kept.keep(regionId, id, told.tickets ?? []);
    wanted.wake();
  }

  const leading = lead(services, stop.signal, {
    held: options.held,
    wanted,
    stale,
    carry: (regionId) => carryRegion(services, regionId, options, () => renew(regionId)),
    began: (begun) => {
      tenure = begun;
    },
    looked: () => {
      look.resolve();
      look = Promise.withResolvers();
    },
    taken: (regionId, { carrier }) => deliverKept(services, kept.take(regionId), carrier),
    givingUp: (regionId, { carrier }) => {
      for (const { id, tickets } of carrier.unfinished) kept.keep(regionId, id, tickets);
    },
  });
  await Promise.race([look.promise, leading]);
  const lookAgain = () => {
    wanted.wake();
    return Promise.race([look.promise, leading]);
  };
  return {
    sweepNow: () => sweepCarried({ signal: stop.signal, tenure: () => tenure, stale, lookAgain }),
    stop: async () => {
      for (const end of [stopListening, stopHearingRegions, stopHearingOwners, stopHearingServers]) end();
      stop.abort(new Error("replication stopped"));
      await leading;
    },
  };
}

function deliverKept(
  { logger }: Pick<Services, "logger">,
  kept: ReturnType<KeptNudges["take"]>,
  carrier: Carrier,
): void {
  for (const { id, tickets } of kept)
    carrier
      .nudge(id, { tickets })
      .catch((error: unknown) => logger.warn({ err: error }, "a nudge that was kept was not delivered"));
}

/** Sweeps every region once, and once more where one began anew meanwhile. */
async function sweepCarried(leading: {
  signal: AbortSignal;
  tenure: () => Tenure | undefined;
  stale: ReadonlySet<string>;
  /** Resolves when regions were looked for once more. */
  lookAgain: () => Promise<void>;
}): Promise<void> {
  while (!leading.signal.aborted) {
    if (leading.tenure()?.isLooking !== false) await leading.lookAgain();
    const carried = [...(leading.tenure()?.carried ?? [])];
    const swept = await Promise.allSettled(carried.map(([, { sweepOnce }]) => sweepOnce()));
    const begunAnew = carried.some(
      ([regionId, region]) => leading.stale.has(regionId) || leading.tenure()?.carried.get(regionId) !== region,
    );
    if (begunAnew) {
      await leading.lookAgain();
      continue;
    }
    const failure = swept.find(({ status }) => status === "rejected");
    if (failure?.status === "rejected") throw failure.reason;
    return;
  }
}

/** Hears of links through home, from every process. Returns how to stop. */
async function hearOfLinks(
  { listener, logger }: Pick<Services, "listener" | "logger">,
  heard: { deliver: (id: LinkId, details: Told) => Promise<void>; sweepAll: () => void },
): Promise<() => void> {
  const deliver = (id: LinkId, details: Told, otherwise: string) => {
    heard.deliver(id, details).catch((error: unknown) => logger.warn({ err: error }, otherwise));
  };
  const stopNudges = await listener.on(NUDGE_CHANNEL, (payload) => {
    // The listening connection was away: whatever was missed meanwhile is found by a sweep.
    if (payload === "") heard.sweepAll();
    const nudge = parseNudge(payload);
    if (nudge !== undefined)
      deliver(
        nudge,
        { tickets: nudge.tickets, trace: nudge.trace },
        "a nudge could not be delivered; the sweep will find it",
      );
  });
  const stopBreaches = await listener.on(BREACH_CHANNEL, (payload) => {
    const breach = parseBreach(payload);
    if (breach !== undefined)
      deliver(breach, { broken: breachOf(breach.sentence) }, "a breach was not delivered; the next wake will meet it");
  });
  return () => {
    stopNudges();
    stopBreaches();
  };
}

/** Finds a tenant database's region, which never changes, and remembers what it has read. */
function rememberRegions(services: Pick<Services, "home">): (databaseId: number) => Promise<string | undefined> {
  const regionOf = new Map<number, string>();
  return async (databaseId) => {
    if (!regionOf.has(databaseId))
      for (const row of await listReplicatedDatabases(services, {})) regionOf.set(row.databaseId, row.regionId);
    return regionOf.get(databaseId);
  };
}
