/** Reading the ledger: what crossed by day, and what was refused. The caller has checked who asks. */
import type { CrossingWay } from "#engine/border/ledger/crossings";
import { invalidInput } from "#base/kernel/errors";
import { isBetween } from "#base/kernel/page-range";
import { idsOfReversed, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import type { Queryable } from "#base/postgres/database";
import type { StreamKind } from "#engine/replication/names";

/** What crossed on one day (UTC), of one table of one link in one way. */
export type BorderCrossing = {
  /** As in 2026-01-31. */
  day: string;
  databaseId: number;
  direction: StreamKind;
  table: string;
  way: CrossingWay;
  regionKey: string;
  /** Of a move: the region that it went to. */
  toRegionKey: string | null;
  rows: number;
  bytes: number;
  firstAt: Date;
  lastAt: Date;
};

/** Attempts of one kind from one address within seconds. */
export type BorderRefusal = {
  /** UUIDv7: the order of the list. */
  id: string;
  firstAt: Date;
  lastAt: Date;
  attempts: number;
  address: string | null;
  databaseId: number | null;
  direction: StreamKind | null;
  /** The name that was given; nobody has checked it. */
  user: string | null;
  /** Any word: another version may refuse for reasons that this one does not know. */
  code: string;
  sentence: string;
};

/** All that is left out does not narrow. */
export type CrossingFilter = { regionKey?: string; databaseId?: number; days?: number };

/** A day, a database and the rest of the key; a table's name may hold any character, so it comes last. */
const CROSSING_KEY =
  /^([12]\d{3}-\d\d-\d\d) (\d{1,9}) (directory|catalog|move)(?:>([a-z0-9-]{1,40}))? (stream|seed) ([^\0]{1,63})$/u;

/** What tells one row from the others, as text. */
export function crossingKey({ day, databaseId, direction, toRegionKey, way, table }: BorderCrossing): string {
  return `${day} ${databaseId} ${direction}${toRegionKey === null ? "" : `>${toRegionKey}`} ${way} ${table}`;
}

/** Whether it has the form of {@link crossingKey}, of a day that there is. */
export function isCrossingKey(text: string): boolean {
  const day = CROSSING_KEY.exec(text)?.[1];
  // Of a day too many JavaScript makes the next month's first; PostgreSQL refuses it.
  return day !== undefined && dayOf(new Date(day)) === day;
}

function dayOf(moment: Date): string | undefined {
  return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString().slice(0, 10);
}

/** A page of what crossed, newest day first, in days up to `days` ago (1: today). Its bounds are {@link crossingKey}s. */
export async function readCrossings(
  home: Queryable<"home">,
  { regionKey, databaseId, days }: CrossingFilter,
  page: PageRequest,
): Promise<Page<BorderCrossing>> {
  const order = readingOrder(page, "desc");
  const rows = await home.query<BorderCrossing>(
    "border.read_crossings",
    `select to_char(d.day, 'YYYY-MM-DD') as day, d.database_id as "databaseId", d.direction, d.table_name as "table", d.way,
            d.region_key as "regionKey", nullif(d.to_region_key, '') as "toRegionKey", d.rows::float8 as rows, d.bytes::float8 as bytes,
            d.first_at as "firstAt", d.last_at as "lastAt"
     from tenantry.border_days d
     where ($1::text is null or d.region_key = $1 or d.to_region_key = $1) and ($2::int is null or d.database_id = $2)
       and ($3::int is null or d.day > (now() at time zone 'utc')::date - $3)
       and ($5::date is null
            or (d.day, d.database_id, d.direction, d.table_name, d.way, d.to_region_key)
              < ($5, $6::int, $7::text, $8::text, $9::text, $10::text))
       and ($11::date is null
            or (d.day, d.database_id, d.direction, d.table_name, d.way, d.to_region_key)
              > ($11, $12::int, $13::text, $14::text, $15::text, $16::text))
     order by d.day ${order}, d.database_id ${order}, d.direction ${order}, d.table_name ${order}, d.way ${order},
       d.to_region_key ${order} limit $4`,
    [
      regionKey ?? null,
      databaseId ?? null,
      days ?? null,
      page.first + 1,
      ...crossingAt("after", page.after),
      ...crossingAt("before", page.before ?? null),
    ],
  );
  return toPage(rows, page);
}

/** The columns of a key, in the order of the list; nulls for none. */
function crossingAt(name: "after" | "before", text: string | null): (string | null)[] {
  const key = text === null ? undefined : CROSSING_KEY.exec(text);
  if (key === null) throw invalidInput(name, `${name} is not a cursor that this list gave out.`);
  const [, day = null, id = null, direction = null, to = "", way = null, table = null] = key ?? [];
  return [day, id, direction, table, way, to];
}

/** A page of what was refused, newest first, in days up to `days` ago (1: today). */
export async function readRefusals(
  home: Queryable<"home">,
  { days }: Pick<CrossingFilter, "days">,
  page: PageRequest,
): Promise<Page<BorderRefusal>> {
  const rows = await home.query<BorderRefusal>(
    "border.read_refusals",
    `select r.id, r.first_at as "firstAt", r.last_at as "lastAt", r.attempts, host(r.address) as address,
            r.database_id as "databaseId", r.direction, r.user_name as "user", r.code, r.sentence
     from tenantry.border_refusals r
     where ${isBetween("r.id", page, ["$1", "$2"], "desc")}
       and ($3::int is null or r.last_at >= ((now() at time zone 'utc')::date - $3 + 1) at time zone 'utc')
     order by r.id ${readingOrder(page, "desc")} limit $4`,
    [...idsOfReversed(page), days ?? null, page.first + 1],
  );
  return toPage(rows, page);
}

/** What crossed by day, region and direction, newest day first. A region of home's has a row a day and direction at most, and one more for each region that a placement moved to. */
export function readDaySums(
  home: Queryable<"home">,
  { days, regionKey }: { days: number; regionKey: string | null },
): Promise<
  { day: string; regionKey: string; toRegionKey: string | null; direction: StreamKind; rows: number; bytes: number }[]
> {
  return home.query(
    "border.read_days",
    `select to_char(d.day, 'YYYY-MM-DD') as day, d.region_key as "regionKey",
            nullif(d.to_region_key, '') as "toRegionKey", d.direction,
            sum(d.rows)::float8 as rows, sum(d.bytes)::float8 as bytes
     from tenantry.border_days d
     where d.day > (now() at time zone 'utc')::date - $1::int and ($2::text is null or d.region_key = $2 or d.to_region_key = $2)
     group by d.day, d.region_key, d.to_region_key, d.direction
     order by d.day desc, d.region_key, d.direction, d.to_region_key`,
    [days, regionKey],
  );
}
