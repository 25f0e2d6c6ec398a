/**
 * What an operator must know, as types: the same readings serve the metrics, the console, `tenantry status` and `doctor`.
 * Nothing in them is a secret, and nothing is of an organization's content.
 */
import type { Actor } from "#engine/auth/actor";
import type { BreakerState } from "#base/postgres/breaker";
import type { PlacementState } from "#engine/home/placements";
import type { JobKind, JobState } from "#engine/jobs/job";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import type { Standing } from "#engine/replication/capacity";
import type { Direction } from "#engine/replication/names";

/** What a server has only so much of. */
export const LIMIT_KINDS = [
  "slots",
  "origins",
  "walsenders",
  "logical_workers",
  "worker_processes",
  "connections",
  "databases",
] as const;
export type LimitKind = (typeof LIMIT_KINDS)[number];

/**
 * How a server stands with one of its limits. `ours` and `others` are in use now. `left` is what Tenantry may still take:
 * `limit` less what is in use and less `reserve`. Nothing bounds `databases`: there `limit` and `left` are null.
 */
export type ServerLimit = Standing & { kind: LimitKind };

/** One server, as this process sees it. */
export type ServerReading = {
  /** A region's key, or `home`. */
  name: string;
  /** Null: home. */
  regionId: string | null;
  /** `host:port`. */
  address: string;
  /** Whether it has answered in time. */
  isUp: boolean;
  /** `open`: this process asks it nothing for the moment, since it could not be reached. `trying`: one caller tries. */
  breaker: BreakerState;
  /** Since when this process can reach it, or cannot; null: it has not tried yet. */
  since: Date | null;
  /** PostgreSQL's version, such as 18.4; null: it did not answer. */
  version: string | null;
  /** How far its clock is ahead of home's at least; negative: behind; null: it did not answer. */
  clockAheadSeconds: number | null;
  /** Empty where it did not answer. */
  limits: readonly ServerLimit[];
  /** Whether a worker carries the region's replication; null: home, or home did not say. */
  isCarried: boolean | null;
  /** What is wrong, in one sentence for the operator; null: nothing. */
  problem: string | null;
  /** What would do better than it does, one sentence each. */
  advice: readonly string[];
  readAt: Date;
};

/**
 * `parked`: at rest, which is well. `awake`: its subscription is enabled. `broken`: a part of it is missing or lost, and it is
 * mended by itself. `unknown`: the region's server did not answer.
 */
export const LINK_STATES = ["parked", "awake", "broken", "unknown"] as const;
export type LinkReadingState = (typeof LINK_STATES)[number];

/** One direction of one tenant database's replication. */
export type LinkReading = {
  databaseId: number;
  /** The tenant database's name on the region's server. */
  database: string;
  regionId: string;
  /** The region's key. */
  region: string;
  direction: Direction;
  state: LinkReadingState;
  /** Bytes of WAL to go through until it has caught up; 0: nothing is known to wait; null: the servers were not read. */
  lagBytes: number | null;
  /** For how long something has been known to wait, as home knows it; 0: nothing does. */
  lagSeconds: number;
  /** WAL that the publisher's server keeps for it; null: the servers were not read. */
  retainedBytes: number | null;
  /** When it last carried everything and was parked; null: never. */
  parkedAt: Date | null;
  /** How often it was woken and parked again, and how often its copy was seeded, the first time included. */
  wakes: number;
  seeds: number;
  /** Rows that home's guard refuses now; of catalogs only. */
  refusedRows: number;
  /** How often it has failed since it last carried everything. */
  failures: number;
  /** What is wrong, in one sentence for the operator; null: nothing. */
  problem: string | null;
};

export type LinksReading = { links: readonly LinkReading[]; readAt: Date };

/** Jobs of one kind in one state. DONE and CANCELLED are not counted: their number only grows. */
export type JobsOfKind = {
  kind: JobKind;
  state: Extract<JobState, "WAITING" | "RUNNING" | "FAILED">;
  jobs: number;
  /** Of these the ones whose last attempt failed: "failing now". */
  failing: number;
  /** The most attempts that one of them has had. */
  mostAttempts: number;
  /** For how long the oldest of those that wait has been due; 0: none is. */
  oldestDueSeconds: number;
};

export type JobsReading = { jobs: readonly JobsOfKind[]; readAt: Date };

/** Placements of one region in one state, whose databases have one version of the schema. */
export type PlacementsOfRegion = {
  regionId: string;
  region: string;
  state: PlacementState;
  /** Null: the database is being made. */
  schemaVersion: SchemaVersion | null;
  /** Whether that is what this program migrates to. */
  isLatest: boolean;
  placements: number;
};

/** How many databases that were made ahead a grant would find in a region now. */
export type ReadyOfRegion = { regionId: string; region: string; ready: number };

export type PlacementsReading = {
  placements: readonly PlacementsOfRegion[];
  ready: readonly ReadyOfRegion[];
  readAt: Date;
};

/**
 * Reads the state of the installation once for everybody in the process. Each method may be called as often as anybody likes:
 * it gives what was read a moment ago, and what is read is read by one reading at a time, with a deadline. For the operator:
 * others get FORBIDDEN.
 */
export type Readings = {
  /**
   * Home first, then the regions by key. Never fails for a server's sake: one that is away is `isUp: false` with the reason, at
   * once where that is known. Where home is away, the regions are those that were last known.
   */
  servers: (actor: Actor) => Promise<readonly ServerReading[]>;
  /** All links, by the database's id: two for each tenant database. Links of a region that is away are `unknown`. Needs home. */
  links: (actor: Actor) => Promise<LinksReading>;
  /** Needs home. */
  jobs: (actor: Actor) => Promise<JobsReading>;
  /** Needs home. */
  placements: (actor: Actor) => Promise<PlacementsReading>;
};
