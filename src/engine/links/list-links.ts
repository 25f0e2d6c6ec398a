/**
 * Links as home alone sees them: their state, and what it remembers of each. So a list of a thousand costs no region a statement,
 * and shows those of a region that is away too. What only the servers know is in the readings (engine/readings).
 */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import type { Queryable } from "#base/postgres/database";
import type { Direction } from "#engine/replication/names";
import type { Services } from "#engine/services";

export const LINK_STATES = ["AWAKE", "PARKED", "LATE", "BROKEN"] as const;
export type LinkState = (typeof LINK_STATES)[number];

export type ListedLink = {
  databaseId: number;
  database: string;
  direction: Direction;
  regionId: string;
  state: LinkState;
  /** When everything had arrived last. */
  carriedAt: Date | null;
  /** When it was last proved that nothing waits. */
  checkedAt: Date | null;
  waitingSince: Date | null;
  lagSeconds: number;
  wakes: number;
  seeds: number;
  seededAt: Date | null;
  failures: number;
  failure: string | null;
};

/** All that is left out does not narrow. */
export type LinkFilter = { regionKey?: string | null; state?: LinkState | null };

// A directory is published at home, and its slot says whether somebody carries it; of a catalog the subscription is there.
const LINKS = `
  select d.id as "databaseId", d.name as database, way.direction, d.region_id as "regionId",
    case when l.failure is not null or coalesce(s.wal_status = 'lost', false)
              or (case way.direction when 'directory' then s.slot_name is null else u.subname is null end) then 'BROKEN'
         when l.waiting_since is not null then 'LATE'
         when coalesce(s.active, u.subenabled) then 'AWAKE' else 'PARKED' end as state,
    l.carried_at as "carriedAt", l.checked_at as "checkedAt", l.waiting_since as "waitingSince",
    coalesce(extract(epoch from now() - l.waiting_since)::float8, 0) as "lagSeconds",
    coalesce(l.wakes, 0)::float8 as wakes, coalesce(l.seeds, 0)::float8 as seeds, l.seeded_at as "seededAt",
    coalesce(l.failures, 0) as failures, l.failure
  from tenantry.tenant_databases d
  cross join (values ('catalog'), ('directory')) as way (direction)
  left join tenantry.links l on l.database_id = d.id and l.direction = way.direction
  left join pg_replication_slots s on way.direction = 'directory' and s.slot_name = d.name || '_directory'
  left join pg_subscription u on way.direction = 'catalog' and u.subname = d.name || '_catalog'
    and u.subdbid = (select oid from pg_database where datname = current_database())
  where (exists (select from tenantry.placements p
                 where p.database_id = d.id and p.state in ('ACTIVE', 'MOVING', 'SUSPENDED'))
         or (d.isolation = 'SHARED' and d.engine_version is not null and d.closing_at is null)
         or d.ready_state = 'READY')`;

const KEY = /^(\d{1,9}) (catalog|directory)$/;

/** What tells one link from the others, as text. */
export function linkKey({ databaseId, direction }: Pick<ListedLink, "databaseId" | "direction">): string {
  return `${databaseId} ${direction}`;
}

export function isLinkKey(text: string): boolean {
  return KEY.test(text);
}

function keyIn(cursor: string | null): [id: string | null, direction: string | null] {
  const [, id = null, direction = null] = cursor === null ? [] : (KEY.exec(cursor) ?? []);
  return [id, direction];
}

/** A page of links, oldest database first, for the operator. */
export async function listLinks(
  { home }: Pick<Services, "home">,
  actor: Actor,
  { regionKey = null, state = null }: LinkFilter,
  page: PageRequest,
): Promise<Page<ListedLink>> {
  authorizeOperator(actor);
  const after = keyIn(page.after);
  const before = keyIn(page.before ?? null);
  const order = readingOrder(page);
  const rows = await home.query<ListedLink>(
    "links.list",
    `select * from (${LINKS}) link
     where ($1::text is null or link."regionId" = (select r.id from tenantry.regions r where r.key = $1))
       and ($2::text is null or link.state = $2)
       and ($3::int is null or (link."databaseId", link.direction) > ($3, $4::text))
       and ($6::int is null or (link."databaseId", link.direction) < ($6, $7::text))
     order by link."databaseId" ${order}, link.direction ${order} limit $5`,
    [regionKey, state, ...after, page.first + 1, ...before],
  );
  return toPage(rows, page);
}

/** The links of these tenant databases. The caller has checked that the actor may see them. */
export function findLinks({ home }: Pick<Services, "home">, databaseIds: readonly number[]): Promise<ListedLink[]> {
  return home.query<ListedLink>(
    "links.of_databases",
    `${LINKS} and d.id = any($1::int[]) order by d.id, way.direction desc`,
    [databaseIds],
  );
}

/** How many links are how, by region. */
export type LinkCounts = Record<"awake" | "parked" | "late" | "broken", number> & { worstLagSeconds: number };

export function countLinks({ home }: { home: Queryable<"home"> }): Promise<(LinkCounts & { regionId: string })[]> {
  return home.query(
    "links.count",
    `select link."regionId", count(*) filter (where state = 'AWAKE')::int as awake,
       count(*) filter (where state = 'PARKED')::int as parked, count(*) filter (where state = 'LATE')::int as late,
       count(*) filter (where state = 'BROKEN')::int as broken, max("lagSeconds") as "worstLagSeconds"
     from (${LINKS}) link group by link."regionId"`,
  );
}

/** Those that are late or broken, the worst first. */
export function listUnwellLinks({ home }: { home: Queryable<"home"> }, limit: number): Promise<ListedLink[]> {
  return home.query<ListedLink>(
    "links.unwell",
    `select * from (${LINKS}) link where state in ('LATE', 'BROKEN')
     order by state, "lagSeconds" desc, "databaseId" limit $1`,
    [limit],
  );
}
