/**
 * The sweep: what nudges missed. Compares the servers' real state with what should be, bounds how much WAL a parked
 * slot holds back, and finds writes that nobody announced. Reads much, changes little: it moves slots that are proved to
 * have nothing to send to the end of the WAL, and hands everything else to the carrier.
 */
import { forEachLimit } from "#base/kernel/semaphore";
import type { HomeDatabase, ServerDatabase } from "#base/postgres/database";
import { readServerHistory } from "#base/postgres/server-history";
import type { Carrier } from "#engine/replication/carrier";
import { DAMAGE } from "#engine/replication/damage";
import type { Link } from "#engine/replication/link";
import { readSeenPosition, recordChecked, recordPosition } from "#engine/replication/link-record";
import type { Direction } from "#engine/replication/names";
import type { LinkId } from "#engine/replication/nudge";
import { publicationMatches } from "#engine/replication/publication";
import { dropScout, makeScout, moveToScout } from "#engine/replication/slot";
import { describeRefusal, findDamage, type LinkSurvey, surveyLinks } from "#engine/replication/survey";

export type SweepLimits = {
  /** A parked slot that holds back more WAL than this is moved or woken. */
  maxRetainedBytes: number;
  /** A link is checked for writes made outside the API at least this often. */
  maxAgeMs: number;
};

export const SWEEP_DEFAULTS: SweepLimits = { maxRetainedBytes: 32 * 1024 * 1024, maxAgeMs: 8 * 60_000 };

export type SweepContext = {
  home: HomeDatabase;
  regionId: string;
  region: ServerDatabase;
  /** The links that should be whole: those of databases with an active placement in the region. */
  links: readonly LinkId[];
  nameOf: (id: LinkId) => string;
  openLink: (id: LinkId) => Promise<Link | undefined>;
  carrier: Carrier;
  /** How much each tenant database had written when it was last looked into. Kept between sweeps. */
  checkedAt: Map<number, string>;
  /** A name for a slot that no other sweep of these servers has. */
  newScoutName: () => string;
  /** What home's guard refused when each tenant database was last looked at. Kept between sweeps. */
  refusedAt: Map<number, string>;
  /** Hears once of what was refused, in one sentence, and again when that is something else. */
  onRefused: (databaseId: number, sentence: string) => void;
};

/** A slot that holds back less is not moved because of its age: WAL is kept in files of 16 MB. */
const WORTH_MOVING_BYTES = 1024 * 1024;
/** How many tenant databases are looked into at once. */
const CONCURRENT_CHECKS = 4;
/** What a tenant database has noted beyond this is read by the next sweep. */
const MAX_CHANGES = 10_000;

/** Sweeps one region once. */
export async function sweep(context: SweepContext, limits: SweepLimits): Promise<void> {
  const due: LinkId[] = [];
  const untouched: LinkId[] = [];
  await noticeSetback(context);
  const writes = await readWriteCounts(context);
  for (const link of await surveyLinks(context, context.links)) {
    const { id } = link;
    noticeRefusal(context, link);
    if (context.carrier.isBusy(id)) continue;
    const broken = findDamage(link);
    const age = link.checkedSeconds === null ? Number.POSITIVE_INFINITY : link.checkedSeconds * 1_000;
    if (broken !== undefined) await context.carrier.nudge(id, { broken });
    // Enabled but not ours: left awake by a process that died, or by hand. Waiting: a nudge was lost.
    else if (link.enabled || link.waiting) await context.carrier.nudge(id);
    else if (link.retainedBytes > limits.maxRetainedBytes) due.push(id);
    else if (age <= limits.maxAgeMs) continue;
    else if (link.retainedBytes > WORTH_MOVING_BYTES || mayHaveWritten(context, id, writes)) due.push(id);
    else untouched.push(id);
  }
  if (untouched.length > 0) await recordChecked(context.home, untouched);
  const of = (direction: Direction) => due.filter((id) => id.direction === direction);
  await Promise.all([checkDirectories(context, of("directory")), checkCatalogs(context, of("catalog"), writes)]);
}

/** A row that is refused is a region's fault or an attempt, and nobody in the region hears of it. */
function noticeRefusal({ refusedAt, onRefused }: SweepContext, { id, refusal }: LinkSurvey): void {
  if (id.direction !== "catalog") return;
  const sentence = refusal === null ? "" : describeRefusal(id.databaseId, refusal);
  if ((refusedAt.get(id.databaseId) ?? "") === sentence) return;
  refusedAt.set(id.databaseId, sentence);
  if (sentence !== "") onRefused(id.databaseId, sentence);
}

/**
 * A server whose WAL ends before where it was flushed once has been restored, and has forgotten what it had applied and
 * written since. Noted so that it stays known until each link was reseeded. What is known is read first: a sweep beside
 * this one could note more meanwhile.
 */
async function noticeSetback({ home, regionId, region }: SweepContext): Promise<void> {
  const seen = await readSeenPosition(home, regionId);
  const { flushed } = await readServerHistory(region);
  await recordPosition(home, regionId, { position: flushed, wentBack: seen !== undefined && flushed < seen });
}

/**
 * A change at home is noted at home, where every sweep sees it. A tenant database that has written nothing since it was
 * last looked into has nothing to carry, which its server's counters tell without connecting to each: they start over with
 * the server, so the moment of its start is part of them. They come up to 10 s late, which the next look makes up for.
 */
function mayHaveWritten({ checkedAt, nameOf }: SweepContext, id: LinkId, writes: ReadonlyMap<string, string>): boolean {
  if (id.direction === "directory") return false;
  const now = writes.get(databaseOf(nameOf(id)));
  return now === undefined || checkedAt.get(id.databaseId) !== now;
}

async function readWriteCounts({ region, links, nameOf }: SweepContext): Promise<Map<string, string>> {
  const names = links.filter(({ direction }) => direction === "catalog").map((id) => databaseOf(nameOf(id)));
  const rows = await region.query<{ name: string; writes: string }>(
    "sweep.writes",
    `select datname as name, concat_ws(' ', pg_postmaster_start_time(), stats_reset,
              tup_inserted + tup_updated + tup_deleted) as writes
     from pg_stat_database where datname = any($1)`,
    [names],
  );
  return new Map(rows.map(({ name, writes }) => [name, writes]));
}

/** The tenant database's name, which is what its links' names begin with. */
function databaseOf(linkName: string): string {
  return linkName.replace(/_(catalog|directory)$/, "");
}

async function readDirectoryChanges({ home, links }: SweepContext): Promise<Set<number>> {
  const rows = await home.query<{ database_id: number }>(
    "sweep.directory_changes",
    "select distinct database_id from tenantry.directory_changes where database_id = any($1::int[])",
    [links.filter(({ direction }) => direction === "directory").map(({ databaseId }) => databaseId)],
  );
  return new Set(rows.map((row) => row.database_id));
}

/**
 * Runs `check` while a scout stands on the server, or without one where transactions stay open: links are then woken
 * instead, which loses nothing and costs more.
 */
async function withScout(
  context: SweepContext,
  server: HomeDatabase | ServerDatabase,
  check: (scout: string | undefined) => Promise<void>,
): Promise<void> {
  const name = context.newScoutName();
  let made = false;
  await server
    .session(async (session) => {
      made = await makeScout(session, name);
      // Thrown, so that the session goes, and with it whatever there is of the scout.
      if (!made) throw new NoScout();
      await check(name);
      await dropScout(session, name);
    })
    .catch((error: unknown) => {
      if (!(error instanceof NoScout)) throw error;
    });
  if (!made) await check(undefined);
}

class NoScout extends Error {}

/** Moves the slots of directories without a noted change. The changes are read once the scout stands. */
async function checkDirectories(context: SweepContext, due: readonly LinkId[]): Promise<void> {
  if (due.length === 0) return;
  await withScout(context, context.home, async (scout) => {
    const dirty = await readDirectoryChanges(context);
    const moved: LinkId[] = [];
    for (const id of due) {
      if (scout === undefined || dirty.has(id.databaseId)) await context.carrier.nudge(id);
      else if (context.carrier.isBusy(id)) continue;
      else if (await moveToScout(context.home, context.nameOf(id), scout)) moved.push(id);
    }
    if (moved.length > 0) await recordChecked(context.home, moved);
  });
}

/** The same for catalogs, one tenant database after the other: their changes are noted where they happen. */
async function checkCatalogs(
  context: SweepContext,
  due: readonly LinkId[],
  writes: ReadonlyMap<string, string>,
): Promise<void> {
  if (due.length === 0) return;
  await withScout(context, context.region, async (scout) => {
    const moved: LinkId[] = [];
    await forEachLimit(due, CONCURRENT_CHECKS, async (id) => {
      if (!(await checkCatalog(context, id, scout))) return;
      moved.push(id);
      context.checkedAt.set(id.databaseId, writes.get(databaseOf(context.nameOf(id))) ?? "");
    });
    if (moved.length > 0) await recordChecked(context.home, moved);
  });
}

/** Whether it was proved that nothing waits. */
async function checkCatalog(context: SweepContext, id: LinkId, scout: string | undefined): Promise<boolean> {
  const link = await context.openLink(id);
  if (link === undefined || context.carrier.isBusy(id)) return false;
  const { database } = link.publisher;
  if (!(await publicationMatches(link))) {
    await context.carrier.nudge(id, { broken: DAMAGE.publicationChanged });
    return false;
  }
  const noted = await database.query<{ id: string }>(
    "sweep.catalog_changes",
    `select id::text from tenantry.catalog_changes order by id limit ${MAX_CHANGES}`,
  );
  if (scout === undefined || noted.length > 0) {
    await context.carrier.nudge(id, { catalogChanges: noted.map((change) => change.id) });
    return false;
  }
  return !context.carrier.isBusy(id) && (await moveToScout(database, link.name, scout));
}
