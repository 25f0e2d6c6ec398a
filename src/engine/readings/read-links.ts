/** Reads all links: with a handful of statements for each region, however many tenant databases there are. */
import { mapLimit } from "#base/kernel/semaphore";
import { tellOperator } from "#engine/failures/explain";
import { listReplicatedDatabases, type ReplicatedDatabase } from "#engine/home/replicated-databases";
import { problemOf, surveyRegion } from "#engine/links/replication-health";
import type { LinkReading, LinksReading } from "#engine/readings/reading";
import { SharedReading } from "#engine/readings/shared-reading";
import { listRegionsToTheLast } from "#engine/regions/regions";
import type { LinkId } from "#engine/replication/nudge";
import { findDamage, type LinkSurvey, readLinkHistories } from "#engine/replication/survey";
import type { Services } from "#engine/services";

/** Each region takes ten statements or so. */
const FRESH_MS = 1_500;
const DEADLINE_MS = 5_000;
/** A region that takes longer is `unknown` in this reading. Less than the deadline, so that the others are told of. */
const REGION_DEADLINE_MS = 3_000;
/** Home is asked for each of them. */
const CONCURRENT_REGIONS = 4;

type Region = { id: string; key: string; databases: readonly ReplicatedDatabase[] };

export class LinkReadings {
  readonly #services: Services;
  readonly #reading: SharedReading<LinksReading>;
  /** By the region's id: each region is surveyed by one reading at a time, also when it hangs. */
  readonly #regions = new Map<string, SharedReading<readonly LinkReading[]>>();
  readonly #databases = new Map<string, Region>();

  constructor(services: Services) {
    this.#services = services;
    this.#reading = new SharedReading(() => this.#readAll(), { freshMs: FRESH_MS, deadlineMs: DEADLINE_MS });
  }

  read(): Promise<LinksReading> {
    return this.#reading.get();
  }

  async #readAll(): Promise<LinksReading> {
    const { home } = this.#services;
    const [databases, regions] = await Promise.all([
      listReplicatedDatabases({ home }, {}),
      listRegionsToTheLast({ home }),
    ]);
    const readAt = new Date();
    const byRegion = Map.groupBy(databases, ({ regionId }) => regionId);
    this.#databases.clear();
    for (const { id, key } of regions) this.#databases.set(id, { id, key, databases: byRegion.get(id) ?? [] });
    for (const id of this.#regions.keys()) if (!this.#databases.has(id)) this.#regions.delete(id);
    const those = [...this.#databases.values()].filter((region) => region.databases.length > 0);
    const found = await mapLimit(those, CONCURRENT_REGIONS, (region) => this.#readRegion(region));
    const links = found.flat().toSorted((a, b) => a.databaseId - b.databaseId);
    return { links, readAt };
  }

  async #readRegion(region: Region): Promise<readonly LinkReading[]> {
    try {
      return await this.#readingOf(region.id).get();
    } catch (error) {
      // What home knows tells for how long something has waited.
      return readUnknown(this.#services, region, tellOperator(error));
    }
  }

  #readingOf(regionId: string): SharedReading<readonly LinkReading[]> {
    const found = this.#regions.get(regionId);
    if (found !== undefined) return found;
    const made = new SharedReading(() => this.#survey(regionId), { freshMs: 0, deadlineMs: REGION_DEADLINE_MS });
    this.#regions.set(regionId, made);
    return made;
  }

  async #survey(regionId: string): Promise<readonly LinkReading[]> {
    const region = this.#databases.get(regionId);
    if (region === undefined) return [];
    const { found, problem } = await surveyRegion(this.#services, regionId, linksOf(region));
    if (found === undefined) return readUnknown(this.#services, region, problem);
    const names = namesOf(region);
    return found.map((link) => describe(region, names, link));
  }
}

function linksOf({ databases }: Region): LinkId[] {
  return databases.flatMap(({ databaseId }): LinkId[] => [
    { databaseId, direction: "directory" },
    { databaseId, direction: "catalog" },
  ]);
}

function namesOf({ databases }: Region): ReadonlyMap<number, string> {
  return new Map(databases.map(({ databaseId, database }) => [databaseId, database]));
}

function describe({ id, key }: Region, names: ReadonlyMap<number, string>, link: LinkSurvey): LinkReading {
  const { databaseId, direction } = link.id;
  const { retainedBytes, parkedAt, wakes, seeds, failures } = link;
  const isBroken = findDamage(link) !== undefined;
  return {
    databaseId,
    database: names.get(databaseId) ?? "",
    regionId: id,
    region: key,
    direction,
    state: isBroken ? "broken" : link.enabled ? "awake" : "parked",
    lagBytes: link.waiting || link.enabled ? link.behindBytes : 0,
    lagSeconds: link.waitingSeconds ?? 0,
    retainedBytes,
    parkedAt,
    wakes,
    seeds,
    refusedRows: link.refusal?.rows ?? 0,
    failures,
    problem: problemOf(link),
  };
}

/** What home alone knows of the links of a region that cannot be read. */
async function readUnknown({ home }: Pick<Services, "home">, region: Region, problem: string): Promise<LinkReading[]> {
  const names = namesOf(region);
  const histories = await readLinkHistories(home, linksOf(region));
  return histories.map(({ id, waitingSeconds, refusedRows, failures, wakes, seeds, parkedAt }) => ({
    databaseId: id.databaseId,
    database: names.get(id.databaseId) ?? "",
    regionId: region.id,
    region: region.key,
    direction: id.direction,
    state: "unknown",
    lagBytes: null,
    lagSeconds: waitingSeconds ?? 0,
    retainedBytes: null,
    parkedAt,
    wakes,
    seeds,
    refusedRows,
    failures,
    problem,
  }));
}
