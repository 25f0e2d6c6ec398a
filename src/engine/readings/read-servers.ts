/** Reads home's and the regions' servers: what they are, what they have room for, and how this process stands with them. */
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import type { ServerAddress } from "#base/postgres/connection-url";
import { probeServer } from "#base/postgres/probe";
import { readCapacity } from "#base/postgres/server-capacity";
import { tellOperator } from "#engine/failures/explain";
import { readCarriedRegions } from "#engine/links/read-carried";
import { describeProbed } from "#engine/links/replication-health";
import type { LimitKind, ServerReading } from "#engine/readings/reading";
import { LateReading, SharedReading } from "#engine/readings/shared-reading";
import { listRegions } from "#engine/regions/regions";
import { regionServers } from "#engine/regions/region-address";
import { type Standing, standingOf } from "#engine/replication/capacity";
import { namePrefix } from "#engine/replication/names";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

/** A server that takes longer is as good as away. */
const DEADLINE_MS = 2_000;
/** What is read serves for so long. Shorter than the pause of whoever looks every 2 s, so that each look is a new one. */
const FRESH_MS = 1_500;

const KINDS: Record<string, LimitKind> = {
  max_replication_slots: "slots",
  "max_replication_slots (origins)": "origins",
  max_active_replication_origins: "origins",
  max_wal_senders: "walsenders",
  max_logical_replication_workers: "logical_workers",
  max_worker_processes: "worker_processes",
  max_connections: "connections",
  databases: "databases",
};

type Target = { name: string; regionId: string | null; address: ServerAddress };
type Answer = Pick<ServerReading, "version" | "clockAheadSeconds" | "limits" | "advice" | "problem">;

export class ServerReadings {
  readonly #services: Services;
  readonly #home: Target;
  readonly #regions: SharedReading<{ targets: readonly Target[]; carried: ReadonlySet<string> }>;
  /** As they were last known: where home is away, its regions may not be. */
  #known: readonly Target[] = [];
  /** By name and address: each server is read by one reading at a time. */
  readonly #readings = new Map<string, SharedReading<Answer>>();

  constructor(services: Services) {
    this.#services = services;
    this.#home = { name: "home", regionId: null, address: services.homeAddress };
    this.#regions = new SharedReading(() => this.#readRegions(), { freshMs: FRESH_MS, deadlineMs: DEADLINE_MS });
  }

  async read(): Promise<ServerReading[]> {
    const regions = await this.#regions.get().catch(() => undefined);
    const targets = [this.#home, ...(regions?.targets ?? this.#known)];
    const keys = new Set(targets.map(keyOf));
    for (const key of this.#readings.keys()) if (!keys.has(key)) this.#readings.delete(key);
    return Promise.all(targets.map((target) => this.#readOne(target, regions?.carried)));
  }

  async #readRegions() {
    const { home } = this.#services;
    const [regions, carried] = await Promise.all([listRegions({ home }), readCarriedRegions({ home })]);
    const servers = await regionServers(
      this.#services,
      regions.map(({ id }) => id),
    );
    const targets = regions.flatMap(({ id, key }): Target[] => {
      const address = servers.get(id)?.address;
      return address === undefined ? [] : [{ name: key, regionId: id, address }];
    });
    this.#known = targets;
    return { targets, carried };
  }

  async #readOne(target: Target, carried: ReadonlySet<string> | undefined): Promise<ServerReading> {
    const { name, regionId, address } = target;
    const answer = await this.#readingOf(target)
      .get()
      .catch((error: unknown) => error);
    const isUp = !(answer instanceof Error) && answer !== undefined;
    const lost = this.#services.ownership.whyLost(regionId ?? undefined);
    const found = isUp ? (answer as Answer) : { ...NO_ANSWER, problem: whyAway(name, answer) };
    return {
      name,
      regionId,
      address: serverOf(address),
      isUp,
      ...this.#services.pools.standingOf(kindOf(target), serverOf(address)),
      ...found,
      isCarried: regionId === null || carried === undefined ? null : carried.has(regionId),
      problem: lost ?? found.problem,
      readAt: new Date(),
    };
  }

  #readingOf(target: Target): SharedReading<Answer> {
    const key = keyOf(target);
    const found = this.#readings.get(key);
    if (found !== undefined) return found;
    const made = new SharedReading(() => this.#ask(target), { freshMs: FRESH_MS, deadlineMs: DEADLINE_MS });
    this.#readings.set(key, made);
    return made;
  }

  /** Over a connection that is kept, and by the breaker: a server that is known to be away costs nothing. */
  async #ask({ name, regionId, address }: Target): Promise<Answer> {
    const { home, homeDatabaseName, installation, pools } = this.#services;
    const server: Queryable<DatabaseKind> =
      regionId === null ? home : pools.open("server", address, MAINTENANCE_DATABASE);
    // One after the other, on one connection: the clock is compared without waiting for another one.
    const probe = await probeServer(server);
    const capacity = await readCapacity(server, {
      prefix: namePrefix(installation),
      home: regionId === null ? homeDatabaseName : null,
    });
    const { version, problem, advice } = describeProbed(name, probe);
    const limits = standingOf(capacity).flatMap((standing: Standing) => {
      const kind = KINDS[standing.setting];
      return kind === undefined ? [] : [{ ...standing, kind }];
    });
    return { version, problem, advice, limits, clockAheadSeconds: probe.clockAheadMs / 1_000 };
  }
}

const NO_ANSWER: Omit<Answer, "problem"> = { version: null, clockAheadSeconds: null, limits: [], advice: [] };

function whyAway(name: string, error: unknown): string {
  const subject = name === "home" ? "home's server" : `the server of region ${name}`;
  if (error instanceof LateReading) return `${subject} gave ${error.message}`;
  return `${subject} cannot be read: ${tellOperator(error)}`;
}

function keyOf({ name, address: { user, host, port } }: Target): string {
  return `${name} ${user}@${host}:${port}`;
}

function serverOf({ host, port }: ServerAddress): string {
  return `${host}:${port}`;
}

function kindOf({ regionId }: Target): DatabaseKind {
  return regionId === null ? "home" : "server";
}
