/** How replication is doing: per tenant database and per server. The same reading serves the API and `doctor`. */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { listReplicatedDatabases, type ReplicatedDatabase } from "#engine/home/replicated-databases";
import { isUnreachable, probeEach } from "#engine/regions/probe-regions";
import { findAdvice } from "#engine/servers/region-requirements";
import { listRegions, type Region } from "#engine/regions/regions";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { type Headroom, probeServer, type ServerProbe } from "#base/postgres/probe";
import { TenantryError } from "#base/kernel/errors";
import { explainRefusal } from "#engine/failures/explain";
import { type Direction, linkName } from "#engine/replication/names";
import { SWEEP_DEFAULTS } from "#engine/replication/sweep";
import { describeRefusal, findDamage, type LinkSurvey, surveyLinks } from "#engine/replication/survey";
import type { Services } from "#engine/services";

/** One flow of a tenant database. */
export type FlowHealth = {
  direction: Direction;
  healthy: boolean;
  /** At rest: the subscription is disabled and no process runs for it. */
  parked: boolean;
  /** Bytes of WAL to go through until it has caught up; 0 when nothing is known to wait; null: cannot be read. */
  lagBytes: number | null;
  /** For how long something has been known to wait; 0 when nothing is. */
  lagSeconds: number | null;
  /** WAL that the publisher's server keeps for it, in bytes. */
  retainedBytes: number | null;
  /** What is wrong, in one sentence; null: nothing. */
  problem: string | null;
};

export type DatabaseHealth = { databaseId: number; database: string; regionId: string; flows: FlowHealth[] };

export type ServerHealth = {
  /** A region's key, or `home`. */
  name: string;
  reachable: boolean;
  /** PostgreSQL's version; null when the server gives no answer. */
  version: string | null;
  headroom: Headroom[];
  problem: string | null;
  /** What would do better than it does; nothing that is wrong. */
  advice: string[];
};

/** Something that waits longer than this is a problem; a nudge takes milliseconds. */
const MAX_WAIT_SECONDS = 60;
/** From this share of a limit on, the server is short of it. */
const FULL_SHARE = 0.9;

const DIRECTIONS = ["directory", "catalog"] as const;

/** The health of tenant databases of one region. A region that cannot be reached makes every flow say so. */
export async function surveyDatabases(
  services: Pick<Services, "home" | "installation" | "pools" | "secrets">,
  regionId: string,
  databases: readonly ReplicatedDatabase[],
): Promise<DatabaseHealth[]> {
  const links = databases.flatMap(({ databaseId }) => DIRECTIONS.map((direction) => ({ databaseId, direction })));
  const { found, problem } = await surveyRegion(services, regionId, links);
  return databases.map(({ databaseId, database }) => ({
    databaseId,
    database,
    regionId,
    flows: DIRECTIONS.map((direction) => {
      const link = found?.find(({ id }) => id.databaseId === databaseId && id.direction === direction);
      return link === undefined ? unreachable(direction, problem ?? null) : toFlow(link);
    }),
  }));
}

/** Surveys links of one region; without `found` where its server cannot be reached, and `problem` says why. */
export async function surveyRegion(
  services: Pick<Services, "home" | "installation" | "pools" | "secrets">,
  regionId: string,
  links: readonly LinkSurvey["id"][],
): Promise<{ found: LinkSurvey[]; problem?: undefined } | { found?: undefined; problem: string }> {
  try {
    const address = await regionAddress(services, regionId);
    const region = services.pools.open("server", address, MAINTENANCE_DATABASE);
    const nameOf = (id: LinkSurvey["id"]) => linkName(services.installation, id.databaseId, id.direction);
    return { found: await surveyLinks({ home: services.home, region, nameOf }, links) };
  } catch (error) {
    const refused = error instanceof TenantryError ? error : explainRefusal(error);
    if (refused?.code !== "REGION_UNAVAILABLE") throw refused ?? error;
    return { problem: refused.message };
  }
}

/** What is wrong with a link, in one sentence; null: nothing. */
export function problemOf(link: LinkSurvey): string | null {
  const late =
    (link.waitingSeconds ?? 0) > MAX_WAIT_SECONDS ? "something has been waiting for over a minute" : undefined;
  const refused = link.refusal === null ? undefined : describeRefusal(link.id.databaseId, link.refusal);
  return findDamage(link)?.reason ?? link.failure ?? late ?? refused ?? null;
}

function toFlow(link: LinkSurvey): FlowHealth {
  const problem = problemOf(link);
  return {
    direction: link.id.direction,
    healthy: problem === null,
    parked: !link.enabled,
    lagBytes: link.waiting || link.enabled ? link.behindBytes : 0,
    lagSeconds: link.waitingSeconds ?? 0,
    retainedBytes: link.retainedBytes,
    problem,
  };
}

function unreachable(direction: Direction, problem: string | null): FlowHealth {
  return {
    direction,
    healthy: false,
    parked: false,
    lagBytes: null,
    lagSeconds: null,
    retainedBytes: null,
    problem,
  };
}

/**
 * Every tenant database after `after` and before `before` (by id) in their order, at most `limit`, for the operator: the first of
 * them, or with `last` the last.
 */
export async function readDatabasesHealth(
  services: Pick<Services, "home" | "installation" | "pools" | "secrets">,
  actor: Actor,
  page: { after: number; before?: number; last?: boolean; limit: number },
): Promise<DatabaseHealth[]> {
  authorizeOperator(actor);
  const all = await listReplicatedDatabases(services, page);
  const byRegion = Map.groupBy(all, ({ regionId }) => regionId);
  const read = await Promise.all(
    [...byRegion].map(([regionId, databases]) => surveyDatabases(services, regionId, databases)),
  );
  return read.flat().toSorted((a, b) => a.databaseId - b.databaseId);
}

/** Home's and every region's server, for the operator. */
export async function readServersHealth(services: Services, actor: Actor): Promise<ServerHealth[]> {
  authorizeOperator(actor);
  const regions = await listRegions(services);
  const [home, probes] = await Promise.all([
    probeServer(services.home),
    probeEach(
      services,
      regions.map(({ id }) => id),
    ),
  ]);
  // As this process last saw it.
  const { ownership } = services;
  const others = regions.flatMap((region, index) => {
    const probe = probes[index];
    if (probe === undefined) return [];
    const { problem, ...found } = describeServer(region, probe);
    return [Object.assign(found, { problem: ownership.whyLost(region.id) ?? problem })];
  });
  const own = describeProbed("home", home);
  return [{ ...own, problem: ownership.whyLost() ?? own.problem }, ...others];
}

function describeServer({ key: name }: Region, probe: ServerProbe | Error): ServerHealth {
  if (isUnreachable(probe))
    return { name, reachable: false, version: null, headroom: [], problem: probe.message, advice: [] };
  if (probe instanceof Error) throw probe;
  return describeProbed(name, probe);
}

/** What a server that answered has, and what is wrong with it. */
export function describeProbed(name: string, probe: ServerProbe): ServerHealth {
  const { headroom, version } = probe;
  const advice = findAdvice(probe, SWEEP_DEFAULTS);
  return { name, reachable: true, version, headroom, problem: shortage(headroom), advice };
}

function shortage(headroom: readonly Headroom[]): string | null {
  const full = headroom.find(({ limit, used }) => used >= limit * FULL_SHARE);
  return full === undefined ? null : `${full.setting} is nearly used up: ${full.used} of ${full.limit}`;
}
