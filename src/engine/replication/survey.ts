/**
 * What two servers have of given links, read with a handful of statements however many links there are: slots and
 * subscriptions of all databases are seen from any database of a server. Changes nothing.
 */
import type { DatabaseKind, HomeDatabase, Queryable, ServerDatabase } from "#base/postgres/database";
import { parseLsn } from "#base/postgres/lsn";
import { readServerHistory } from "#base/postgres/server-history";
import { DAMAGE, type Damage, damageOfLostSlot, INVALIDATION_SQL } from "#engine/replication/damage";
import type { LinkId } from "#engine/replication/nudge";
import { readOrigins } from "#engine/replication/subscription";

export type LinkSurvey = {
  id: LinkId;
  hasSlot: boolean;
  /** The slot has lost WAL that the subscriber needs. */
  lost: boolean;
  /** Why, as the server calls it; null where it does not say. */
  invalidation: string | null;
  hasSubscription: boolean;
  /** It waits for the subscriber's WAL writer before it confirms: made before we asked for more. */
  confirmsLate: boolean;
  /** The subscriber remembers less than it did: it was restored from a backup. */
  subscriberWentBack: boolean;
  /** Home's server is on another history than when the link was seeded, or nobody knows on which it was. */
  homeForked: boolean;
  /** The same of the region's server. */
  regionForked: boolean;
  /** The subscriber has seen positions that the publisher has not reached: the publisher was restored. */
  publisherWentBack: boolean;
  /** Awake: the subscription is enabled. */
  enabled: boolean;
  /** Of publications at home; those in the regions are looked at when a catalog is checked. */
  hasPublication: boolean;
  /** WAL that the publisher's server keeps for the slot. */
  retainedBytes: number;
  /** From what the subscriber confirmed to the publisher's end, other databases' WAL included. */
  behindBytes: number;
  /** How often applying has failed since the subscription was made. */
  applyErrors: number;
  /** Home knows of something that has not arrived. */
  waiting: boolean;
  /** Since it has been known to wait; null when nothing does. */
  waitingSeconds: number | null;
  /** Since it was last proved that nothing waits; null: never. */
  checkedSeconds: number | null;
  /** What went wrong last and is not over. */
  failure: string | null;
  /** How often something went wrong since it last carried everything. */
  failures: number;
  /** How often it was woken and parked again, and seeded, the first time included; and when it was last parked. */
  wakes: number;
  seeds: number;
  parkedAt: Date | null;
  /** Of catalogs: rows that home's guard refuses now. Null: none. */
  refusal: Refusal | null;
};

/** `rows` counts up to {@link MOST_REFUSED}; `fault` says why the first of them is refused. */
export type Refusal = { rows: number; fault: string };

/** What tenantry.refused_rows counts to. */
const MOST_REFUSED = 1_000;

export type SurveyContext = {
  home: HomeDatabase;
  region: ServerDatabase;
  nameOf: (id: LinkId) => string;
};

/** Surveys links of one region. Throws when a server cannot be reached. */
export async function surveyLinks(context: SurveyContext, links: readonly LinkId[]): Promise<LinkSurvey[]> {
  const { home, region, nameOf } = context;
  const names = links.map(nameOf);
  // One after the other: what was recorded is not later than what the subscriber has seen, nor that than the publisher's end.
  // Read at once, a link that is carried meanwhile would look as if a server had gone back.
  const [records, publications] = await Promise.all([readRecords(home, links), readPublications(home, names)]);
  const [homeHistory, regionHistory] = await Promise.all([readServerHistory(home), readServerHistory(region)]);
  const subscriptions = await Promise.all([readSubscriptions(home, names), readSubscriptions(region, names)]);
  const slots = await Promise.all([readSlots(home, names), readSlots(region, names)]);
  const slotOf = new Map(slots.flat().map((row) => [row.name, row]));
  const subscriptionOf = new Map(subscriptions.flat().map((row) => [row.name, row]));
  return links.map((id) => {
    const name = nameOf(id);
    const slot = slotOf.get(name);
    const subscription = subscriptionOf.get(name);
    const record = records.get(`${id.databaseId} ${id.direction}`);
    return {
      id,
      hasSlot: slot !== undefined,
      lost: slot?.lost === true,
      invalidation: slot?.invalidation ?? null,
      hasSubscription: subscription !== undefined,
      confirmsLate: subscription?.late === true,
      ...findTimeTravel(subscription, slot, record),
      homeForked: record?.home_history !== homeHistory.history,
      regionForked: record?.region_history !== regionHistory.history,
      enabled: subscription?.enabled === true,
      hasPublication: id.direction === "catalog" || publications.has(name),
      retainedBytes: Number(slot?.retained ?? 0),
      behindBytes: Math.max(0, Number(slot?.behind ?? 0)),
      applyErrors: Number(subscription?.errors ?? 0),
      waiting: record?.waiting === true,
      waitingSeconds: record?.waiting_seconds ?? null,
      checkedSeconds: record?.checked_seconds ?? null,
      failure: record?.failure ?? null,
      ...historyOf(record),
      refusal: record?.fault ? { rows: record.refused ?? 0, fault: record.fault } : null,
    };
  });
}

/** What home alone remembers of a link. */
export type LinkHistory = Pick<LinkSurvey, "id" | "waitingSeconds" | "failures" | "wakes" | "seeds" | "parkedAt"> & {
  /** Rows that home's guard refuses now. */
  refusedRows: number;
};

/** The same without the servers of the links: for a region that is away. */
export async function readLinkHistories(home: HomeDatabase, links: readonly LinkId[]): Promise<LinkHistory[]> {
  const records = await readRecords(home, links);
  return links.map((id) => {
    const record = records.get(`${id.databaseId} ${id.direction}`);
    const waitingSeconds = record?.waiting_seconds ?? null;
    return { id, waitingSeconds, refusedRows: record?.refused ?? 0, ...historyOf(record) };
  });
}

/** What is broken about a link; undefined when its parts are in place. */
export function findDamage(link: LinkSurvey): Damage | undefined {
  if (!link.hasSlot) return DAMAGE.slotGone;
  if (link.lost) return damageOfLostSlot(link.invalidation);
  if (!link.hasSubscription) return DAMAGE.subscriptionGone;
  if (!link.hasPublication) return DAMAGE.publicationChanged;
  if (link.subscriberWentBack) return DAMAGE.subscriberWentBack;
  if (link.publisherWentBack) return DAMAGE.publisherWentBack;
  if (link.homeForked) return DAMAGE.homeForked;
  if (link.regionForked) return DAMAGE.regionForked;
  return link.confirmsLate ? DAMAGE.confirmsLate : undefined;
}

/** What was refused of a tenant database, in one sentence for the operator. */
export function describeRefusal(databaseId: number, { rows, fault }: Refusal): string {
  if (rows === 1) return `1 row of tenant database ${databaseId} was refused, because ${fault}`;
  const count = rows < MOST_REFUSED ? String(rows) : `${MOST_REFUSED} or more`;
  return `${count} rows of tenant database ${databaseId} were refused, the first because ${fault}`;
}

type SlotRow = {
  name: string;
  lost: boolean;
  invalidation: string | null;
  retained: string | null;
  behind: string | null;
  current: string;
};

function readSlots(server: Queryable<DatabaseKind>, names: readonly string[]): Promise<SlotRow[]> {
  return server.query<SlotRow>(
    "survey.slots",
    `select slot_name as name, coalesce(wal_status = 'lost', false) as lost, ${INVALIDATION_SQL} as invalidation,
            pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::text as retained,
            pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::text as behind,
            pg_current_wal_insert_lsn()::text as current
     from pg_replication_slots s where slot_name = any($1)`,
    [names],
  );
}

type SubscriptionRow = {
  name: string;
  enabled: boolean;
  errors: string | null;
  late: boolean;
  oid: number;
  origin: string | null;
};

async function readSubscriptions(
  server: Queryable<DatabaseKind>,
  names: readonly string[],
): Promise<SubscriptionRow[]> {
  const origins = await readOrigins(server);
  // A subscription that a person pointed at another slot does not count.
  const rows = await server.query<SubscriptionRow>(
    "survey.subscriptions",
    `select s.subname as name, s.subenabled as enabled, t.apply_error_count::text as errors,
            -- One that the extension made belongs to the superuser, and cannot be made another.
            s.subsynccommit = 'off' and pg_has_role(s.subowner, 'usage') as late, s.oid, null as origin
     from pg_subscription s left join pg_stat_subscription_stats t on t.subid = s.oid
     where s.subname = any($1) and s.subslotname = s.subname`,
    [names],
  );
  for (const row of rows) row.origin = origins.get(row.oid) ?? null;
  return rows;
}

async function readPublications(home: HomeDatabase, names: readonly string[]): Promise<Set<string>> {
  const rows = await home.query<{ name: string }>(
    "survey.publications",
    "select pubname as name from pg_publication where pubname = any($1)",
    [names],
  );
  return new Set(rows.map(({ name }) => name));
}

function findTimeTravel(
  subscription: SubscriptionRow | undefined,
  slot: SlotRow | undefined,
  record: RecordRow | undefined,
): Pick<LinkSurvey, "subscriberWentBack" | "publisherWentBack"> {
  const origin = subscription?.origin ?? null;
  const recorded = record?.origin ?? null;
  return {
    // Another subscription of the same name starts over.
    subscriberWentBack:
      recorded !== null &&
      record?.subscription_oid === subscription?.oid &&
      (origin === null || parseLsn(origin) < parseLsn(recorded)),
    publisherWentBack: origin !== null && slot !== undefined && parseLsn(origin) > parseLsn(slot.current),
  };
}

function historyOf(record: RecordRow | undefined): Pick<LinkSurvey, "failures" | "wakes" | "seeds" | "parkedAt"> {
  return {
    failures: record?.failures ?? 0,
    wakes: Number(record?.wakes ?? 0),
    seeds: Number(record?.seeds ?? 0),
    parkedAt: record?.parked_at ?? null,
  };
}

type RecordRow = {
  subscription_oid: number | null;
  origin: string | null;
  home_history: string | null;
  region_history: string | null;
  database_id: number;
  direction: string;
  waiting: boolean;
  waiting_seconds: number | null;
  checked_seconds: number | null;
  failure: string | null;
  failures: number | null;
  wakes: string | null;
  seeds: string | null;
  parked_at: Date | null;
  /** With `fault`: of catalogs that have any. */
  refused: number | null;
  fault: string | null;
};

async function readRecords(home: HomeDatabase, links: readonly LinkId[]): Promise<Map<string, RecordRow>> {
  const rows = await home.query<RecordRow>(
    "survey.records",
    `select given.database_id, given.direction, l.failure, l.subscription_oid, l.origin_lsn::text as origin,
            l.home_history, l.region_history, l.failures, l.wakes, l.seeds, l.carried_at as parked_at, r.refused, r.fault,
            l.waiting_since is not null or (given.direction = 'directory' and exists (
              select from tenantry.directory_changes c where c.database_id = given.database_id)) as waiting,
            extract(epoch from now() - l.waiting_since)::float8 as waiting_seconds,
            extract(epoch from now() - l.checked_at)::float8 as checked_seconds
     from unnest($1::int[], $2::text[]) as given (database_id, direction)
     left join tenantry.links l using (database_id, direction)
     left join tenantry.refused_rows($1::int[]) r on given.direction = 'catalog' and r.database_id = given.database_id`,
    [links.map(({ databaseId }) => databaseId), links.map(({ direction }) => direction)],
  );
  return new Map(rows.map((row) => [`${row.database_id} ${row.direction}`, row]));
}
