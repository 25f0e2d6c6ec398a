/** What home remembers of each link. Never the truth about the servers: what was last seen of them. */
import type { HomeDatabase } from "#base/postgres/database";
import { formatLsn, type Lsn, parseLsn } from "#base/postgres/lsn";
import type { Link } from "#engine/replication/link";
import type { LinkId } from "#engine/replication/nudge";

/**
 * The link was parked: everything that was known to wait has arrived, and with it these rows of the publisher's change log. They are taken
 * off it, one by one: a row with a lower id may have been committed since and still wait.
 */
export async function recordCarried(
  home: HomeDatabase,
  { databaseId, direction, publisher }: Link,
  changes: readonly string[] | undefined,
  /** Where the subscriber stands now, where that can be read. */
  origin: { oid: number; position: string } | undefined,
): Promise<void> {
  if (direction === "catalog" && changes !== undefined && changes.length > 0)
    await publisher.database.query(
      "links.forget_changes",
      "delete from tenantry.catalog_changes where id = any($1::bigint[])",
      [changes],
    );
  await home.query(
    "links.carried",
    `with gone as (
       delete from tenantry.directory_changes where $2 = 'directory' and id = any($3::bigint[])
     )
     insert into tenantry.links as l
       (database_id, direction, carried_at, checked_at, subscription_oid, origin_lsn, wakes)
     select id, $2, now(), now(), $5, $6, 1 from tenantry.tenant_databases where id = $1
     on conflict (database_id, direction) do update set
       subscription_oid = $5, origin_lsn = $6,
       carried_at = now(), waiting_since = null, failure = null, failed_at = null, failures = 0, wakes = l.wakes + 1,
       -- A catalog counts as checked when its change log was read, not whenever something was carried.
       checked_at = case when $2 = 'directory' or $4 then now() else l.checked_at end`,
    [databaseId, direction, changes ?? [], changes !== undefined, origin?.oid ?? null, origin?.position ?? null],
  );
}

/** The copy was seeded while its servers were on these histories. */
export async function recordSeeded(link: Link, publisher: string, subscriber: string): Promise<void> {
  const isDirectory = link.direction === "directory";
  const home = isDirectory ? link.publisher.database : link.subscriber.database;
  await home.query(
    "links.seeded",
    `insert into tenantry.links as l (database_id, direction, home_history, region_history, seeds, seeded_at)
     select id, $2, $3, $4, 1, now() from tenantry.tenant_databases where id = $1
     on conflict (database_id, direction)
       do update set home_history = $3, region_history = $4, seeds = l.seeds + 1, seeded_at = now()`,
    [link.databaseId, link.direction, isDirectory ? publisher : subscriber, isDirectory ? subscriber : publisher],
  );
}

/** The subscription was told what the link says now. */
export async function recordTold({ databaseId, direction, told, publisher, subscriber }: Link): Promise<void> {
  const home = direction === "directory" ? publisher.database : subscriber.database;
  await home.query(
    "links.record_told",
    `insert into tenantry.links as l (database_id, direction, told)
     select id, $2, $3 from tenantry.tenant_databases where id = $1
     on conflict (database_id, direction) do update set told = $3`,
    [databaseId, direction, told.mark],
  );
}

/** How far the region's WAL was known to be flushed; undefined: it was never swept. */
export async function readSeenPosition(home: HomeDatabase, regionId: string): Promise<Lsn | undefined> {
  const [row] = await home.query<{ position: string | null }>(
    "regions.seen_position",
    "select wal_position::text as position from tenantry.region_positions where region_id = $1",
    [regionId],
  );
  return row?.position == null ? undefined : parseLsn(row.position);
}

/**
 * Notes how far the region's WAL is flushed. When the server `wentBack`, in the same statement nothing is known any more of
 * what its links were seeded on.
 */
export async function recordPosition(
  home: HomeDatabase,
  regionId: string,
  { position, wentBack }: { position: Lsn; wentBack: boolean },
): Promise<void> {
  await home.query(
    "regions.note_position",
    `with doubted as (
       update tenantry.links set region_history = null
       where $3 and database_id in (select id from tenantry.tenant_databases where region_id = $1)
     )
     insert into tenantry.region_positions (region_id, wal_position) select id, $2 from tenantry.regions where id = $1
     on conflict (region_id) do update set wal_position = excluded.wal_position`,
    [regionId, formatLsn(position), wentBack],
  );
}

/** Whether a link of the region was seeded when the region's server was in another history: it was promoted or restored since. */
export async function wasSeededOnOther(home: HomeDatabase, regionId: string, history: string): Promise<boolean> {
  const rows = await home.query(
    "links.seeded_on_other",
    `select from tenantry.links l join tenantry.tenant_databases d on d.id = l.database_id
     where d.region_id = $1 and l.region_history <> $2 limit 1`,
    [regionId, history],
  );
  return rows.length > 0;
}

/** It was proved that nothing waits. */
export async function recordChecked(home: HomeDatabase, links: readonly LinkId[]): Promise<void> {
  await home.query(
    "links.checked",
    `insert into tenantry.links (database_id, direction, checked_at)
     select d.id, direction, now() from unnest($1::int[], $2::text[]) as given (id, direction)
     join tenantry.tenant_databases d using (id)
     on conflict (database_id, direction) do update set checked_at = now(), waiting_since = null, failure = null`,
    [links.map(({ databaseId }) => databaseId), links.map(({ direction }) => direction)],
  );
}

/** Something is wrong; `reason` is one sentence without secrets. */
export async function recordFailure(
  home: HomeDatabase,
  { databaseId, direction }: LinkId,
  reason: string,
): Promise<void> {
  await home.query(
    "links.failed",
    `insert into tenantry.links as l (database_id, direction, waiting_since, failure, failed_at, failures)
     select id, $2, now(), $3, now(), 1 from tenantry.tenant_databases where id = $1
     on conflict (database_id, direction) do update set
       waiting_since = coalesce(l.waiting_since, now()), failure = $3, failed_at = now(), failures = l.failures + 1`,
    [databaseId, direction, reason],
  );
}

/** Something is known to wait: it did not arrive in the time that a caller would wait. */
export async function recordWaiting(home: HomeDatabase, links: readonly LinkId[]): Promise<void> {
  await home.query(
    "links.waiting",
    `insert into tenantry.links as l (database_id, direction, waiting_since)
     select d.id, direction, now() from unnest($1::int[], $2::text[]) as given (id, direction)
     join tenantry.tenant_databases d using (id)
     on conflict (database_id, direction) do update set waiting_since = coalesce(l.waiting_since, now())`,
    [links.map(({ databaseId }) => databaseId), links.map(({ direction }) => direction)],
  );
}
