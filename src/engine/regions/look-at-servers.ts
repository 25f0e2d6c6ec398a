/**
 * What a region's server says of itself now: what it is, what it has room for, and since when it answers. Whoever looks at the
 * same time shares one look, so that many open pages cost a server one statement. Bounded in time: one that is away keeps nobody
 * waiting.
 */
import { outsideCalls, withStatementTimeout } from "#base/kernel/call";
import { clockMs } from "#base/kernel/clock";
import { BoundedMap } from "#base/kernel/bounded-map";
import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { type Headroom, probeServer } from "#base/postgres/probe";
import { readCapacity } from "#base/postgres/server-capacity";
import { explainRefusal } from "#engine/failures/explain";
import { type Region, regionAddress } from "#engine/regions/regions";
import { namePrefix } from "#engine/replication/names";
import { SWEEP_DEFAULTS } from "#engine/replication/sweep";
import { findAdvice } from "#engine/servers/region-requirements";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

export type { Headroom } from "#base/postgres/probe";

export type ServerLook = {
  reachable: boolean;
  /** PostgreSQL's version; null: it gives no answer. */
  version: string | null;
  /** Null: it gives no answer. */
  headroom: Headroom[] | null;
  clockAheadSeconds: number | null;
  /** What would do better than it does; nothing that is wrong. */
  advice: string[];
  /** Why it does not answer, or what it is short of, in one sentence; null: nothing. */
  problem: string | null;
  /** Since when this process has found it answering without a break. */
  answersSince: Date | null;
};

/** A server that answers later counts as one that cannot be reached. */
export const MAX_LOOK_MS = 3_000;
/** From this share of a limit on, the server is short of it. */
const FULL_SHARE = 0.9;
const MAX_SERVERS = 1_000;

/** The last look, and the one that is under way. */
type Remembered = { at: number; look: ServerLook | undefined; running: Promise<ServerLook> | undefined };

const remembered = new WeakMap<object, BoundedMap<string, Remembered>>();

/** Looks at a region's server; a look of `maxAgeMs` ago will do. The caller has checked who asks. */
export function lookAtRegion(
  services: Services,
  { id, key }: Pick<Region, "id" | "key">,
  maxAgeMs = 0,
): Promise<ServerLook> {
  const look = async () => {
    const address = await regionAddress(services, id);
    return readServer(services, services.pools.open("server", address, MAINTENANCE_DATABASE), null);
  };
  return shared(services, id, maxAgeMs, `The server of region ${key}`, look, () => services.ownership.whyLost(id));
}

/** The same of home's server. */
export function lookAtHome(services: Services, maxAgeMs = 0): Promise<ServerLook> {
  const look = () => readServer(services, services.home, services.homeDatabaseName);
  return shared(services, "home", maxAgeMs, "Home's server", look, () => services.ownership.whyLost());
}

type Seen = Omit<ServerLook, "answersSince" | "reachable">;

async function shared(
  services: Services,
  id: string,
  maxAgeMs: number,
  who: string,
  look: () => Promise<Seen>,
  whyLost: () => string | undefined | null,
): Promise<ServerLook> {
  const all = remembered.get(services.pools) ?? new BoundedMap<string, Remembered>(MAX_SERVERS);
  remembered.set(services.pools, all);
  const last = all.get(id) ?? { at: 0, look: undefined, running: undefined };
  all.set(id, last);
  const running =
    last.running ??
    (last.look !== undefined && performance.now() - last.at <= maxAgeMs ? Promise.resolve(last.look) : undefined);
  if (running !== undefined) return running;
  const asked = performance.now();
  last.running = ask(who, look).then((seen) => {
    const reachable = seen.version !== null;
    const answersSince = reachable ? (last.look?.answersSince ?? new Date(clockMs())) : null;
    last.look = { ...seen, reachable, problem: whyLost() ?? seen.problem, answersSince };
    last.at = asked;
    return last.look;
  });
  try {
    return await last.running;
  } finally {
    last.running = undefined;
  }
}

async function ask(who: string, look: () => Promise<Seen>): Promise<Seen> {
  const nothing = { version: null, headroom: null, clockAheadSeconds: null, advice: [] };
  try {
    // Of no call: others wait for it too.
    const looking = outsideCalls(() => withStatementTimeout(MAX_LOOK_MS, look));
    return await orLate(looking, MAX_LOOK_MS, () => new Error("connection timeout: no answer"));
  } catch (error) {
    const refused =
      error instanceof TenantryError ? error : explainRefusal(error, { name: who, unavailable: "REGION_UNAVAILABLE" });
    return { ...nothing, problem: refused?.message ?? `${who} does not answer as PostgreSQL does.` };
  }
}

async function readServer(
  { installation }: Services,
  connection: Queryable<DatabaseKind>,
  home: string | null,
): Promise<Seen> {
  const [probe, capacity] = await Promise.all([
    probeServer(connection),
    readCapacity(connection, { prefix: namePrefix(installation), home }),
  ]);
  const headroom = capacity.usage.flatMap(({ setting, limit, ours, others }) =>
    limit === null ? [] : [{ setting, limit, used: ours + others }],
  );
  const full = headroom.find(({ limit, used }) => used >= limit * FULL_SHARE);
  return {
    version: probe.version,
    headroom,
    clockAheadSeconds: probe.clockAheadMs / 1_000,
    advice: findAdvice(probe, SWEEP_DEFAULTS),
    problem: full === undefined ? null : `${full.setting} is nearly used up: ${full.used} of ${full.limit}.`,
  };
}
