/** What home remembers of each link. Never the truth about the servers: what was last seen of them. */
import type { HomeDatabase } from "#postgres/database";
import type { LinkId } from "#replication/nudge";

/**
 * Everything up to these changes has arrived. Takes carried directory changes off the list, so that the sweep does
 * not nudge for them again.
 */
export async function recordCarried(
  home: HomeDatabase,
  { databaseId, direction }: LinkId,
  change: { directory: bigint; catalog: bigint },
): Promise<void> {
  await home.query(
    "links.carried",
    `with gone as (
       delete from tenantry.directory_changes where $2 = 'directory' and database_id = $1 and id <= $3
     )
     insert into tenantry.links as l (database_id, direction, carried_at, checked_at, checked_change)
     select id, $2, now(), now(), $4 from tenantry.tenant_databases where id = $1
     on conflict (database_id, direction) do update set
       carried_at = now(), waiting_since = null, failure = null, failed_at = null, failures = 0,
       -- A catalog counts as checked when its change log was read, not whenever something was carried.
       checked_at = case when $2 = 'directory' or excluded.checked_change > 0 then now() else l.checked_at end,
       checked_change = greatest(l.checked_change, excluded.checked_change)`,
    [databaseId, direction, change.directory, change.catalog],
  );
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
