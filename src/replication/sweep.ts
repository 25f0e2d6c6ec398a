/**
 * The sweep: what nudges missed. Compares the servers' real state with what should be, bounds how much WAL a parked
 * slot holds back, and finds writes that nobody announced. Reads much, changes little: it advances slots that are
 * proved to have nothing to send, and hands everything else to the carrier.
 */
import { waitFor } from "#kernel/wait";
import { quoteLiteral } from "#postgres/identifiers";
import type { DatabaseKind, HomeDatabase, Queryable, ServerDatabase } from "#postgres/database";
import type { Carrier } from "#replication/carrier";
import type { Link } from "#replication/link";
import { recordChecked } from "#replication/link-record";
import type { LinkId } from "#replication/nudge";
import { publicationMatches } from "#replication/publication";
import { currentLsn } from "#replication/slot";
import { findDamage, surveyLinks } from "#replication/survey";
import { formatLsn, type Lsn } from "#postgres/lsn";

export type SweepLimits = {
  /** A parked slot that holds back more WAL than this is advanced or woken. */
  maxRetainedBytes: number;
  /** A link is checked for writes made outside the API at least this often. */
  maxAgeMs: number;
};

export const SWEEP_DEFAULTS: SweepLimits = { maxRetainedBytes: 32 * 1024 * 1024, maxAgeMs: 5 * 60_000 };

export type SweepContext = {
  home: HomeDatabase;
  region: ServerDatabase;
  /** The links that should be whole: those of databases with an active placement in the region. */
  links: readonly LinkId[];
  nameOf: (id: LinkId) => string;
  openLink: (id: LinkId) => Promise<Link | undefined>;
  carrier: Carrier;
};

/** How many tenant databases are looked into at once. */
const CONCURRENT_CHECKS = 4;
/** What a tenant database has noted beyond this is read by the next sweep. */
const MAX_CHANGES = 10_000;

/** Sweeps one region once. */
export async function sweep(context: SweepContext, limits: SweepLimits): Promise<void> {
  const due: LinkId[] = [];
  for (const link of await surveyLinks(context, context.links)) {
    const { id } = link;
    if (context.carrier.isBusy(id)) continue;
    const broken = findDamage(link);
    const age = link.checkedSeconds === null ? Number.POSITIVE_INFINITY : link.checkedSeconds * 1_000;
    if (broken !== undefined) await context.carrier.nudge(id, { broken });
    // Enabled but not ours: left awake by a process that died, or by hand. Waiting: a nudge was lost.
    else if (link.enabled || link.waiting) await context.carrier.nudge(id);
    else if (link.retainedBytes > limits.maxRetainedBytes || age > limits.maxAgeMs) due.push(id);
  }
  await checkDirectories(
    context,
    due.filter(({ direction }) => direction === "directory"),
  );
  await checkCatalogs(
    context,
    due.filter(({ direction }) => direction === "catalog"),
  );
}

async function readDirectoryChanges({ home, links }: SweepContext): Promise<Set<number>> {
  const rows = await home.query<{ database_id: number }>(
    "sweep.directory_changes",
    "select distinct database_id from tenantry.directory_changes where database_id = any($1::int[])",
    [links.filter(({ direction }) => direction === "directory").map(({ databaseId }) => databaseId)],
  );
  return new Set(rows.map((row) => row.database_id));
}

/** How long transactions that are open when a sweep begins may keep it from advancing anything. */
const SETTLE_TIMEOUT_MS = 250;

/**
 * A position such that whatever was committed before it is seen by every statement that begins from now on; undefined
 * when the transactions that are open do not end in time. A commit is written to the WAL a moment before others see it,
 * and with a synchronous standby that can be long: a position read in between lies behind a change that the change log
 * does not show yet. So every transaction that has an id when the position is read must have ended.
 */
async function settledPosition(server: Queryable<DatabaseKind>): Promise<Lsn | undefined> {
  const position = await currentLsn(server);
  // The snapshot's own end would not do: it is one behind the last that ended, not the last that began.
  const [begun] = await server.query<{ last: string }>("sweep.last", "select pg_current_xact_id()::text as last");
  const isSettled = async () => {
    const [row] = await server.query<{ settled: boolean }>(
      "sweep.settled",
      "select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as settled",
      [begun?.last],
    );
    return row?.settled === true ? true : undefined;
  };
  return (await waitFor(isSettled, { timeoutMs: SETTLE_TIMEOUT_MS })) === true ? position : undefined;
}

/**
 * Advances the slots of directories without a noted change. The changes are read after the position is settled: a
 * change that committed before it is seen, one that commits later lies behind it. Without such a position they are
 * woken, which loses nothing and costs more.
 */
async function checkDirectories(context: SweepContext, due: readonly LinkId[]): Promise<void> {
  if (due.length === 0) return;
  const position = await settledPosition(context.home);
  const dirty = await readDirectoryChanges(context);
  const advanced: LinkId[] = [];
  for (const id of due) {
    if (position === undefined || dirty.has(id.databaseId)) await context.carrier.nudge(id);
    else if (context.carrier.isBusy(id)) continue;
    else if (await advance(context.home, context.nameOf(id), position)) advanced.push(id);
  }
  if (advanced.length > 0) await recordChecked(context.home, advanced);
}

/** The same for catalogs, one tenant database after the other: their changes are noted where they happen. */
async function checkCatalogs(context: SweepContext, due: readonly LinkId[]): Promise<void> {
  if (due.length === 0) return;
  const position = await settledPosition(context.region);
  const queue = [...due];
  const worker = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) await checkCatalog(context, id, position);
  };
  await Promise.all(Array.from({ length: CONCURRENT_CHECKS }, worker));
}

async function checkCatalog(context: SweepContext, id: LinkId, position: Lsn | undefined): Promise<void> {
  const link = await context.openLink(id);
  if (link === undefined || context.carrier.isBusy(id)) return;
  const { database } = link.publisher;
  if (!(await publicationMatches(link)))
    return context.carrier.nudge(id, { broken: "the publication is gone or was changed" });
  const noted = await database.query<{ id: string }>(
    "sweep.catalog_changes",
    `select id::text from tenantry.catalog_changes order by id limit ${MAX_CHANGES}`,
  );
  if (position === undefined || noted.length > 0)
    return context.carrier.nudge(id, { catalogChanges: noted.map((change) => change.id) });
  if (await advance(database, link.name, position)) await recordChecked(context.home, [id]);
}

/** Moves an unused slot forward; false when it is in use or gone. Must run in the slot's database. */
async function advance(database: Queryable<DatabaseKind>, name: string, to: Lsn): Promise<boolean> {
  const rows = await database.query(
    "sweep.advance",
    `select pg_replication_slot_advance(slot_name, greatest(confirmed_flush_lsn, ${quoteLiteral(formatLsn(to))}::pg_lsn))
     from pg_replication_slots where slot_name = $1 and not active and database = current_database()`,
    [name],
  );
  return rows.length > 0;
}
