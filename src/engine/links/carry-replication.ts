/**
 * Carries replication in this process: takes the regions that nobody else carries, runs a carrier and the sweep for
 * each, and gives them up when the process ends, however it ends.
 */
import type { TenantryError } from "#base/kernel/errors";
import { randomBytes } from "node:crypto";
import { mendApiRights } from "#engine/regions/api-rights";
import { ensureApiRoleIn } from "#engine/regions/api-role-in-region";
import { listCarriedRegions, listReplicatedDatabases } from "#engine/home/replicated-databases";
import { NotOwner } from "#engine/regions/ownership";
import { REGION_CHANNEL, type RegionServer, regionServer } from "#engine/regions/regions";
import { breachOf, type Damage } from "#engine/replication/damage";
import { BREACH_CHANNEL, parseBreach } from "#engine/replication/breach";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { inCall } from "#base/kernel/call";
import { Semaphore } from "#base/kernel/semaphore";
import { delay } from "#base/kernel/wait";
import { Wakeup } from "#base/kernel/wakeup";
import { redactedMessage } from "#base/kernel/redaction";
import type { HomeDatabase, Session, Transaction } from "#base/postgres/database";
import { probeServer, startsWorkersSlowly } from "#base/postgres/probe";
import { readServerHistory, type ServerHistory } from "#base/postgres/server-history";
import { LOCK_CLASS, tryLock, unlock } from "#base/postgres/session-lock";
import { Carrier } from "#engine/replication/carrier";
import type { CarrierOptions } from "#engine/replication/carrier-options";
import { permitsFor } from "#engine/replication/capacity";
import type { Link } from "#engine/replication/link";
import { linkName, scoutName } from "#engine/replication/names";
import { type LinkId, NUDGE_CHANNEL, parseNudge } from "#engine/replication/nudge";
import { sweep, SWEEP_DEFAULTS, type SweepLimits } from "#engine/replication/sweep";
import { wasSeededOnOther } from "#engine/replication/link-record";
import { noticeHomeHistory } from "#engine/home/notice-home-history";
import type { Services } from "#engine/services";
import { linksAt } from "#engine/links/tenant-links";

export type ReplicationOptions = {
  carrier: Partial<CarrierOptions>;
  limits: SweepLimits;
  /** Pause between two sweeps of a region. */
  sweepIntervalMs: number;
  /** What else is to be done where home was restored, in the transaction that notices it. */
  onHomeForgotten: (transaction: Transaction<"home">) => Promise<void>;
  /** The same for a region that was. */
  onRegionForgotten: (home: HomeDatabase, regionId: string) => Promise<void>;
};

export const REPLICATION_DEFAULTS: ReplicationOptions = {
  carrier: {},
  limits: SWEEP_DEFAULTS,
  sweepIntervalMs: 30_000,
  onHomeForgotten: () => Promise.resolve(),
  onRegionForgotten: () => Promise.resolve(),
};

/** Sweeps at once: each holds a connection to home for as long as it takes. */
const MAX_SWEEPS = 4;
const sweepPermits = new Semaphore(MAX_SWEEPS);
/** How often regions are looked for that nobody carries. */
const LEADERSHIP_INTERVAL_MS = 1_000;

/** Regions that are being taken over are waited for this long; then they are taken over beside what else is to do. */
const TAKE_WAIT_MS = 3_000;
/** A region that is given up is waited for this long. */
const STOP_WAIT_MS = 5_000;
/** A single statement while a region is taken over, and while it is swept. */
const TAKE_STATEMENT_MS = 10_000;
const SWEEP_STATEMENT_MS = 60_000;

type Carried = { carrier: Carrier; stop: () => Promise<void>; sweepNow: () => void };

export type ReplicationRunner = {
  stop: () => Promise<void>;
  /** Sweeps every region carried here, now; resolves when done. For tests and `doctor`. */
  sweepNow: () => Promise<void>;
};

/** Starts; resolves when the first look for regions is done. */
export async function startReplication(services: Services, options: ReplicationOptions): Promise<ReplicationRunner> {
  const stop = new AbortController();
  const carried = new Map<string, Carried & { sweepOnce: () => Promise<void> }>();
  const findRegionOf = rememberRegions(services);
  const first = Promise.withResolvers<void>();
  const wanted = new Wakeup();

  const stopListening = await hearOfLinks(services, {
    deliver,
    sweepAll: () => {
      for (const { sweepNow } of carried.values()) sweepNow();
    },
  });

  // Its address, its password, its standing or its owner changed: its carrier starts anew with what home says now.
  const stale = new Set<string>();
  const renew = (regionId: string) => {
    for (const id of regionId === "" ? carried.keys() : [regionId]) stale.add(id);
    wanted.wake();
  };
  const stopHearingRegions = await services.listener.on(REGION_CHANNEL, renew);
  services.ownership.onChange(renew);

  async function deliver(id: LinkId, details: Told): Promise<void> {
    const region = carried.get((await findRegionOf(id.databaseId)) ?? "");
    // Perhaps registered a moment ago, or given up by a process that ended: do not wait for the next look.
    if (region === undefined) wanted.wake();
    else await region.carrier.nudge(id, details);
  }

  const drop = async (regionId: string) => {
    stale.delete(regionId);
    const one = carried.get(regionId);
    carried.delete(regionId);
    // It ends by itself when the server answers, or its connections are closed. Nobody else waits for that.
    if (one !== undefined && !(await endsWithin(one.stop(), STOP_WAIT_MS)))
      services.logger.warn({ regionId }, "a region's server does not answer: what was asked of it was left behind");
  };
  const leading = lead(services, stop.signal, {
    wanted,
    onLook: () => first.resolve(),
    isStale: (regionId) => stale.has(regionId),
    dropped: drop,
    gained: async (regionId) => {
      stale.delete(regionId);
      carried.set(regionId, await carryRegion(services, regionId, options, () => renew(regionId)));
    },
    lost: async () => {
      await Promise.allSettled([...carried.keys()].map(drop));
    },
  });
  await Promise.race([first.promise, leading]);
  return {
    sweepNow: async () => {
      await Promise.all([...carried.values()].map(({ sweepOnce }) => sweepOnce()));
    },
    stop: async () => {
      stopListening();
      stopHearingRegions();
      stop.abort(new Error("replication stopped"));
      await leading;
    },
  };
}

/** What is told of a link: that it may have something to carry, or what it has brought that it may not. */
type Told = { ticket?: string | undefined; broken?: Damage };

/** Hears of links through home, from every process. Returns how to stop. */
async function hearOfLinks(
  { listener, logger }: Services,
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
      deliver(nudge, { ticket: nudge.ticket }, "a nudge could not be delivered; the sweep will find it");
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
function rememberRegions(services: Services): (databaseId: number) => Promise<string | undefined> {
  const regionOf = new Map<number, string>();
  return async (databaseId) => {
    if (!regionOf.has(databaseId))
      for (const row of await listReplicatedDatabases(services, {})) regionOf.set(row.databaseId, row.regionId);
    return regionOf.get(databaseId);
  };
}

type Leadership = {
  /** Is woken when a region is wanted that nobody here carries. */
  wanted: Wakeup;
  onLook: () => void;
  isStale: (regionId: string) => boolean;
  /** One region is given up: it is gone, or begins anew. */
  dropped: (regionId: string) => Promise<void>;
  gained: (regionId: string) => Promise<void>;
  /** The locks are gone or about to be: carry nothing any more. */
  lost: () => Promise<void>;
};

/** Holds the locks of regions in one session at home; they end with the session, so a dead process holds none. */
async function lead(services: Services, signal: AbortSignal, leadership: Leadership): Promise<void> {
  while (!signal.aborted) {
    try {
      await services.home.session(async (session) => {
        const mine: Mine = { regions: new Set(), taking: new Map(), failed: new Set(), isLost: false };
        try {
          while (!signal.aborted) {
            await takeRegions(services, session, mine, leadership);
            leadership.onLook();
            await leadership.wanted.sleep(LEADERSHIP_INTERVAL_MS, signal);
          }
        } finally {
          mine.isLost = true;
          await leadership.lost();
        }
        await session.query("regions.release", "select pg_advisory_unlock_all()");
      });
    } catch (error) {
      services.logger.warn({ err: error }, "the session that holds the regions broke");
      await delay(LEADERSHIP_INTERVAL_MS, signal).catch(() => undefined);
    }
  }
}

/** The regions whose locks the session holds: those that are being taken over, and those that could not be, among them. */
type Mine = { regions: Set<string>; taking: Map<string, Promise<void>>; failed: Set<string>; isLost: boolean };

async function takeRegions(
  services: Services,
  session: Session<"home">,
  mine: Mine,
  leadership: Leadership,
): Promise<void> {
  const { regions, taking, failed } = mine;
  const wanted = await listCarriedRegions({ home: session });
  for (const regionId of regions) {
    if (taking.has(regionId)) continue;
    if (wanted.includes(regionId) && !leadership.isStale(regionId) && !failed.has(regionId)) continue;
    if (!failed.delete(regionId)) await leadership.dropped(regionId);
    regions.delete(regionId);
    await unlock(session, LOCK_CLASS.region, regionId);
  }
  for (const regionId of wanted) {
    if (regions.has(regionId) || !(await tryLock(session, LOCK_CLASS.region, regionId))) continue;
    regions.add(regionId);
    const take = async () => {
      try {
        await leadership.gained(regionId);
        // The lock has gone meanwhile.
        if (mine.isLost) await leadership.dropped(regionId);
      } catch (error) {
        // It is said once that another home owns it, and not each time that it is looked at.
        if (!(error instanceof NotOwner))
          services.logger.warn({ err: error }, "a region could not be taken over; it will be tried again");
        failed.add(regionId);
      } finally {
        taking.delete(regionId);
      }
    };
    taking.set(regionId, take());
  }
  // A region's server that does not answer keeps nobody from the other regions.
  if (taking.size > 0) await endsWithin(Promise.all(taking.values()), TAKE_WAIT_MS);
}

async function endsWithin(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const stop = new AbortController();
  const isOver = Symbol("over");
  const late = delay(timeoutMs, stop.signal).then(
    () => isOver,
    () => undefined,
  );
  try {
    return (await Promise.race([work, late])) !== isOver;
  } finally {
    stop.abort();
  }
}

/** Statements that a server answers at once, or that tell that it does not answer. */
function inTime<Result>(statementTimeoutMs: number, work: () => Promise<Result>): Promise<Result> {
  return inCall({ signal: new AbortController().signal, statementTimeoutMs }, work);
}

async function makeCarrier(services: Services, regionId: string, options: ReplicationOptions, restart: () => void) {
  await services.ownership.requireToCarry(regionId);
  const server = await regionServer(services, regionId);
  const { address, systemIdentifier } = server;
  const region = services.pools.open("server", address, MAINTENANCE_DATABASE);
  const [homeProbe, regionProbe, regions] = await Promise.all([
    probeServer(services.home),
    probeServer(region),
    listCarriedRegions(services),
  ]);
  if (regionProbe.systemIdentifier !== systemIdentifier)
    services.logger.warn(
      `the server of region ${server.key} has its mark and another system identifier than home knows: run tenantry region update ${server.key}`,
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
  const openLink = (id: LinkId) => openAt(id, server);
  // A link is mended by writing anew what another home may have written.
  const reopenLink = async (id: LinkId) => {
    await services.ownership.require(regionId);
    return openAt(id, await regionServer(services, regionId));
  };
  const report = (message: string, error?: unknown) => {
    services.logger.warn(error === undefined ? {} : { err: error }, `replication: ${message}`);
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
      startsSlowly,
      timelines: { home: homeHistory.timeline, region: regionHistory.timeline },
      onFork: restart,
      report,
    },
    options.carrier,
  );
  return { carrier, region, openLink, report };
}

/** Before its links are seeded anew, as that makes the difference go. */
async function noticeRegionHistory(
  { home }: Services,
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

async function carryRegion(services: Services, regionId: string, options: ReplicationOptions, restart: () => void) {
  const { carrier, region, openLink, report } = await inTime(TAKE_STATEMENT_MS, () =>
    makeCarrier(services, regionId, options, restart),
  );
  carrier.start();
  // Where home or the server was restored, the API's password there may be another one.
  await inTime(TAKE_STATEMENT_MS, () => admitApi(services, regionId)).then(
    (refusal) => refusal !== undefined && report("the API is kept out of the region's server", refusal),
    (error: unknown) => report("the API's role was not checked", error),
  );
  const stop = new AbortController();
  const sweepSoon = new Wakeup();
  const checkedAt = new Map<number, string>();
  const refusedAt = new Map<number, string>();
  const sweepOnce = async () => {
    await services.ownership.require(regionId);
    const databases = await listReplicatedDatabases(services, { regionId });
    const links = databases.flatMap(({ databaseId }): LinkId[] => [
      { databaseId, direction: "directory" },
      { databaseId, direction: "catalog" },
    ]);
    const nameOf = (id: LinkId) => linkName(services.installation, id.databaseId, id.direction);
    const newScoutName = () => scoutName(services.installation, randomBytes(6).toString("hex"));
    const context = {
      home: services.home,
      regionId,
      region,
      links,
      nameOf,
      openLink,
      carrier,
      checkedAt,
      newScoutName,
      refusedAt,
      onRefused: (databaseId: number, sentence: string) =>
        services.ledger.refused({ databaseId, direction: "catalog", code: "row-refused", sentence }),
    };
    // A region that does not answer gives its permit back.
    await sweepPermits.withPermit(() =>
      inTime(SWEEP_STATEMENT_MS, async () => {
        await noticeRegionHistory(services, regionId, await readServerHistory(region), options);
        await sweep(context, options.limits);
      }),
    );
  };
  const sweeping = (async () => {
    while (!stop.signal.aborted) {
      await sweepOnce().catch((error: unknown) => {
        if (!(error instanceof NotOwner)) report(`a sweep failed: ${redactedMessage(error)}`);
      });
      await sweepSoon.sleep(options.sweepIntervalMs, stop.signal);
    }
  })();
  return {
    carrier,
    sweepOnce,
    sweepNow: () => sweepSoon.wake(),
    stop: async () => {
      stop.abort(new Error("region given up"));
      await sweeping;
      await carrier.stop({ leavesRegion: services.ownership.isLost(regionId) });
    },
  };
}
