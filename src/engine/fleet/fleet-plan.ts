/**
 * Plans a fleet migration: which databases, in which order, and why others are left out. Pure: what it is given is what
 * was read, what it returns is printed by `--plan` and carried out without a choice.
 */
import { isBeyond, isSameVersion, type SchemaVersion } from "#engine/migrations/schema-version";

/** A tenant database as home knows it. */
export type FleetDatabase = {
  readonly id: number;
  readonly name: string;
  /** The server it is on. */
  readonly regionKey: string;
  /** Null until it is made. */
  readonly version: SchemaVersion | null;
  /** Set when an earlier run has begun to change what flows and did not finish. */
  readonly migratingTo: SchemaVersion | null;
  /** A placement is being moved from or to it. */
  readonly isInMove?: boolean;
  /** Its size where it is known: smaller ones go first. */
  readonly sizeBytes?: number;
};

export type FleetPlanOptions = {
  readonly target: SchemaVersion;
  /** Databases of each region that go first, alone; the first failure among them ends the run. */
  readonly canariesPerRegion: number;
  /** Up to which share of the rest each wave goes; the last is 1. */
  readonly waveShares: readonly number[];
  /** Whether databases that are up to date are looked into too. */
  readonly verify: boolean;
  /** Regions whose servers do not answer now. */
  readonly unreachable: ReadonlySet<string>;
};

export type SkipReason = "up-to-date" | "newer" | "being-made" | "moving" | "unreachable";
export type Skipped = { readonly database: FleetDatabase; readonly reason: SkipReason };

export type FleetPlan = {
  readonly target: SchemaVersion;
  readonly canaries: readonly FleetDatabase[];
  readonly waves: readonly (readonly FleetDatabase[])[];
  readonly skipped: readonly Skipped[];
};

export const FLEET_PLAN_DEFAULTS = { canariesPerRegion: 1, waveShares: [0.1, 1] } as const;

/** The plan. Every database is in it once. */
export function planFleet(databases: readonly FleetDatabase[], options: FleetPlanOptions): FleetPlan {
  const due: FleetDatabase[] = [];
  const skipped: Skipped[] = [];
  for (const database of databases) {
    const reason = reasonToSkip(database, options);
    if (reason === undefined) due.push(database);
    else skipped.push({ database, reason });
  }
  const queues = [...Map.groupBy(due, ({ regionKey }) => regionKey)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, queue]) => queue.toSorted((a, b) => (a.sizeBytes ?? 0) - (b.sizeBytes ?? 0) || a.id - b.id));
  const canaries = roundRobin(queues.map((queue) => queue.splice(0, options.canariesPerRegion)));
  const rest = roundRobin(queues);
  let taken = 0;
  const waves = options.waveShares.map((share, index) => {
    const end = index === options.waveShares.length - 1 ? rest.length : Math.ceil(rest.length * share);
    const wave = rest.slice(taken, end);
    taken = Math.max(taken, end);
    return wave;
  });
  return { target: options.target, canaries, waves: waves.filter((wave) => wave.length > 0), skipped };
}

function reasonToSkip(database: FleetDatabase, options: FleetPlanOptions): SkipReason | undefined {
  const { version, migratingTo, regionKey } = database;
  if (version === null) return "being-made";
  if ([version, migratingTo ?? version].some((one) => isBeyond(one, options.target))) return "newer";
  if (isSameVersion(version, options.target) && migratingTo === null && !options.verify) return "up-to-date";
  if (database.isInMove === true) return "moving";
  return options.unreachable.has(regionKey) ? "unreachable" : undefined;
}

/** One of each queue in turn, so that every server has work from the beginning. */
function roundRobin<T>(queues: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...queues.map(({ length }) => length));
  return Array.from({ length: longest }, (_, index) => queues.flatMap((queue) => queue.slice(index, index + 1))).flat();
}

/** How many databases are worked on at once. */
export type FleetLimits = { readonly total: number; readonly perServer: number };

export const FLEET_LIMIT_DEFAULTS: FleetLimits = { total: 8, perServer: 4 };

/** Where nothing is due, databases are only looked into: that takes a server less, and nobody has to go first. */
export const LOOK_LIMIT_DEFAULTS: FleetLimits = { total: 32, perServer: 6 };
export const LOOK_PLAN_DEFAULTS = { canariesPerRegion: 0, waveShares: [1] } as const;

/** Whether home knows of nothing that is to be migrated to this version. */
export function isNothingDue(databases: readonly FleetDatabase[], target: SchemaVersion): boolean {
  return databases.every(
    ({ version, migratingTo }) => migratingTo === null && (version === null || isSameVersion(version, target)),
  );
}

/** Which of those that wait may start now beside those that run: its index, or undefined. */
export function nextToStart(
  waiting: readonly FleetDatabase[],
  running: Iterable<FleetDatabase>,
  limits: FleetLimits,
): number | undefined {
  const perServer = new Map<string, number>();
  let total = 0;
  for (const { regionKey } of running) {
    total += 1;
    perServer.set(regionKey, (perServer.get(regionKey) ?? 0) + 1);
  }
  if (total >= limits.total) return undefined;
  const index = waiting.findIndex(({ regionKey }) => (perServer.get(regionKey) ?? 0) < limits.perServer);
  return index === -1 ? undefined : index;
}

/** How many may fail before the run stops: one at least, unless none is allowed. */
export function failuresAllowed(due: number, share: number): number {
  return share === 0 ? 0 : Math.max(1, Math.floor(due * share));
}
