/** What a carrier is given: its times, and its way to the servers. */
import type { HomeDatabase, ServerDatabase } from "#base/postgres/database";
import type { Link } from "#engine/replication/link";
import type { MendPermits } from "#engine/replication/mend-permits";
import type { Direction } from "#engine/replication/names";
import type { LinkId } from "#engine/replication/nudge";
import type { WakeSpans } from "#engine/replication/wake-spans";

export type CarrierOptions = {
  /** A link that has carried everything stays awake this long, for what may come next. Longer where a wake is dear. */
  idleMs: number;
  /** The same where the server is slow to start a worker, and where a wake is dearest (engine/replication/idle-times.ts). */
  slowIdleMs: number;
  /** There, an awake link without a worker is enabled again this often. */
  askAgainMs: number;
  /** While others wait for a permit, a busy link gives its own up after this long. */
  sliceMs: number;
  /** An awake link without a walsender for this long is mended. */
  stallMs: number;
  /** Pause between two looks at the slots while something is being carried. */
  pollMs: number;
  /** First pause before a broken link is mended again; doubles up to `maxRetryMs`. */
  retryMs: number;
  maxRetryMs: number;
  /** A single statement of a link, at home or in the region. */
  statementMs: number;
  /** The same while a link is mended: a seed writes much with one statement, and has bounds of its own. */
  mendStatementMs: number;
  /** Meanwhile the region's server is asked this often, and for so long, whether it is there. */
  askMs: number;
};

export const CARRIER_DEFAULTS: CarrierOptions = {
  idleMs: 500,
  slowIdleMs: 60_000,
  askAgainMs: 250,
  sliceMs: 2_000,
  stallMs: 10_000,
  pollMs: 4,
  retryMs: 500,
  maxRetryMs: 60_000,
  statementMs: 10_000,
  mendStatementMs: 960_000,
  askMs: 5_000,
};

export type CarrierContext = {
  home: HomeDatabase;
  /** The region's maintenance database: slots of all its databases are seen from there. */
  region: ServerDatabase;
  /** The link, or undefined when its database takes no replication now (being made, gone). */
  openLink: (id: LinkId) => Promise<Link | undefined>;
  /** The same with the servers' addresses read anew: one that cannot be reached may have moved. */
  reopenLink: (id: LinkId) => Promise<Link | undefined>;
  /** Whether the server that subscribes starts workers one by one and slowly: PostgreSQL 15 with its own setting. */
  startsSlowly: Record<Direction, boolean>;
  /** How many links of each direction may be awake at once. */
  capacity: Record<Direction, number>;
  /** How many links are mended at once, over all regions. */
  mends: MendPermits;
  /** The timelines that the servers wrote when the carrier began: on others its answers would be worth nothing. */
  timelines: { home: string; region: string };
  /** A server was promoted: the carrier is to begin anew, with a sweep. */
  onFork: () => void;
  /** Counts a link that was woken, or seeded anew. */
  count?: (what: "wake" | "reseed", direction: Direction) => void;
  /** Told about what goes wrong and what was mended, with no secret in it. */
  report: (message: string, error?: unknown) => void;
  /** Left out: traces are off. */
  spans?: WakeSpans;
};
