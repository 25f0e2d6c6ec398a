/** One look at a publisher: where its WAL ends and how far given slots are, in one statement. */
import type { DatabaseKind, HomeDatabase, Queryable, ServerDatabase } from "#base/postgres/database";
import { type Lsn, parseLsn } from "#base/postgres/lsn";
import { TIMELINE_SQL } from "#base/postgres/server-history";
import { INVALIDATION_SQL } from "#engine/replication/damage";

export type SlotSample = {
  confirmed: Lsn | null;
  walStatus: string | null;
  /** Why it is lost, as the server calls it; null: it is not, or the server does not say. */
  invalidation: string | null;
  active: boolean;
  retainedBytes: number;
};

export type Observation = {
  /** The timeline that the server writes now. */
  timeline: string;
  /** Everything that was committed before the look lies before this position. */
  current: Lsn;
  slots: Map<string, SlotSample>;
  /** At home: the noted changes of each directory asked for. All lie before `current`. */
  changes: Map<number, string[]>;
};

type Row = {
  timeline: string;
  current: string;
  slots: {
    name: string;
    confirmed: string | null;
    wal_status: string | null;
    invalidation: string | null;
    active: boolean;
    retained: number | null;
  }[];
  changes: { database_id: number; ids: string[] }[] | null;
};

// Where commits wait for the flush, the flushed end: the inserted one can be a WAL writer's round ahead of what a
// walsender may send.
const CURRENT = `(case current_setting('synchronous_commit')
  when 'off' then pg_current_wal_insert_lsn() else pg_current_wal_flush_lsn() end)::text`;

const SLOTS = `(select coalesce(json_agg(json_build_object(
    'name', slot_name, 'confirmed', confirmed_flush_lsn::text, 'wal_status', wal_status, 'active', active,
    'invalidation', ${INVALIDATION_SQL},
    'retained', pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))), '[]')
  from pg_replication_slots s where slot_name = any($1))`;

/** What is left over is found again by the sweep. */
const MAX_CHANGES = 10_000;

/**
 * Looks at home: the slots of directories, and the changes of those that were nudged. One by one, as a newest one says
 * nothing about the others: ids are drawn when a row is written, and an earlier one may be committed later.
 */
export async function observeHome(
  home: HomeDatabase,
  names: readonly string[],
  databaseIds: readonly number[],
): Promise<Observation> {
  // The snapshot is taken before the position: what the snapshot shows was committed before it.
  const [row] = await home.query<Row>(
    "observe.home",
    `select ${TIMELINE_SQL} as timeline, ${CURRENT} as current, ${SLOTS} as slots,
       (select json_agg(noted) from (
          select database_id, json_agg(id::text) as ids from (
            select database_id, id from tenantry.directory_changes
            where database_id = any($2::int[]) order by id limit ${MAX_CHANGES}) oldest
          group by database_id) noted) as changes`,
    [names, databaseIds],
  );
  return read(row);
}

/** Looks at a region's server: the slots of catalogs, in whatever database they are. */
export async function observeRegion(region: ServerDatabase, names: readonly string[]): Promise<Observation> {
  return read(await observeSlots(region, names));
}

async function observeSlots(server: Queryable<DatabaseKind>, names: readonly string[]): Promise<Row | undefined> {
  const [row] = await server.query<Row>(
    "observe.region",
    `select ${TIMELINE_SQL} as timeline, ${CURRENT} as current, ${SLOTS} as slots, null as changes`,
    [names],
  );
  return row;
}

function read(row: Row | undefined): Observation {
  if (row === undefined) throw new Error("the look returned no row");
  return {
    timeline: row.timeline,
    current: parseLsn(row.current),
    slots: new Map(
      row.slots.map((slot) => [
        slot.name,
        {
          confirmed: slot.confirmed === null ? null : parseLsn(slot.confirmed),
          walStatus: slot.wal_status,
          invalidation: slot.invalidation,
          active: slot.active,
          retainedBytes: slot.retained ?? 0,
        },
      ]),
    ),
    changes: new Map((row.changes ?? []).map(({ database_id, ids }) => [database_id, ids])),
  };
}
