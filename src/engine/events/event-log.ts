/** The statements that read logs of events, each over an index, and what they may be asked. */
import { z } from "zod";
import { DEFAULT_ORGANIZATION_ID } from "#base/kernel/ids";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { TIMELINE_SQL } from "#base/postgres/server-history";
import { BATCH, KEPT_MS, MAX_WAITING, type Reading } from "#engine/events/follow-log";
import { arrivals, entry, type Position, reading } from "#engine/events/position";

/**
 * What somebody begins with after a moment may have been written by a clock that differs from ours, and committed after it was
 * written: this much before is told too.
 */
const SLACK_MS = 60_000;

/** Whose log it is, and which of its entries are wanted. The conditions name the entry `e`. */
type Source = {
  name: string;
  /** Whether entries of other servers stand among those that were written here: of placements that came from there. */
  takesArrivals: boolean;
  /** Has the columns `id`, `at` and `xact`. */
  table: string;
  /** Of whom, at the front of the index on `xact`. */
  ofWhom: string;
  /** The type of the entries' ids. */
  idType: "uuid" | "bigint";
  /** After a moment, in milliseconds, over an index. */
  after: (floor: string) => string;
  /** `subjectId` and `kind` of an entry. */
  columns: string;
  wanted: string;
  /** From `$8` on. */
  values: readonly unknown[];
};

/**
 * Which rows of a table were added to another row, by the audit log of the database where they live: what is written there is
 * in it with the same statement. `kinds`: what entries call these rows, and `actions` how they are added.
 */
export function addedRows(
  { kind }: Pick<Queryable<DatabaseKind>, "kind">,
  organizationId: string,
  { table, parentColumn, parentId, kinds, actions }: AddedRows,
): Source {
  // Home writes the ids of what entries are about as text, and the default organization as null.
  const subject = kind === "home" ? "e.subject_id::uuid" : "e.subject_id";
  return {
    name: "events.added",
    takesArrivals: kind === "tenant",
    table: "tenantry.audit_log",
    ofWhom:
      kind === "home"
        ? "e.organization_id is null and e.outcome = 'OK' and $8::uuid is not null"
        : "e.organization_id = $8",
    idType: "uuid",
    // The first UUIDv7 of the millisecond.
    after: (floor) => `e.id >= (lpad(to_hex((${floor})::bigint), 12, '0') || '70008000000000000000')::uuid`,
    columns: `${subject} as "subjectId", 'CREATED' as kind`,
    wanted: `e.subject_kind = any($9::text[]) and e.action = any($10::text[])
      and exists (select from ${table} r where r.id = ${subject} and r.${parentColumn} = $11)`,
    values: [organizationId, kinds, actions, parentId],
  };
}

export type AddedRows = {
  table: string;
  parentColumn: string;
  parentId: string;
  kinds: readonly string[];
  actions: readonly string[];
};

/** What has changed in a table at home that followers of an organization are told of; null: of the default organization. */
export function changedRows(organizationId: string | null, table: string): Source {
  return {
    name: "events.changed",
    takesArrivals: false,
    table: "tenantry.changes",
    ofWhom: "e.organization_id = $8",
    idType: "bigint",
    after: (floor) => `e.at >= to_timestamp((${floor}) / 1000.0)`,
    columns: `e.subject_id as "subjectId", e.kind`,
    wanted: "e.table_name = $9",
    values: [organizationId ?? DEFAULT_ORGANIZATION_ID, table],
  };
}

/** Rows of a statement without entries have nulls. */
const answer = z
  .array(z.looseObject({ id: z.unknown() }))
  .min(1)
  .max(BATCH);
const answerOfArrived = answer.max(MAX_WAITING);

/** Reads what is behind the position. Throws the driver's errors, and one for an answer that the statement cannot have. */
export async function readLog(
  database: Queryable<DatabaseKind>,
  source: Source,
  position: Position | null,
): Promise<Reading> {
  const { seen, part } = position ?? { seen: null, part: null };
  const form = formOf(position);
  const rows = answer.parse(
    await database.query(`${source.name}_${form}`, statement(source, form), [
      seen?.snapshot ?? null,
      position?.at ?? null,
      part?.snapshot ?? null,
      part?.xact ?? null,
      part?.id ?? null,
      MAX_WAITING,
      BATCH,
      ...source.values,
    ]),
  );
  const read = readingOf(rows);
  if (!source.takesArrivals || position === null || seen === null) return read;
  const all = arrivals.parse((rows[0] as { arrivals?: unknown }).arrivals ?? []);
  const arrival = all.find(({ history }) => history === seen.history);
  // It was here, is elsewhere, and was here again since: what happened in between was not told.
  const isBack = all.some(({ history, at }) => history !== read.history && at > position.at);
  if (seen.history === read.history) return isBack ? { ...read, isTooMuch: true } : read;
  return arrival === undefined ? read : { ...(await readArrived(database, source, position)), arrival };
}

function readingOf(rows: readonly { id?: unknown }[]): Reading {
  return { ...reading.parse(rows[0]), entries: z.array(entry).parse(rows.filter(({ id }) => id !== null)) };
}

/**
 * What was written on the server where the placement was before, and is behind the position there. At once: it can be no more than
 * what is kept for who comes back.
 */
async function readArrived(
  database: Queryable<DatabaseKind>,
  source: Source,
  { at, seen, part }: Position,
): Promise<Reading> {
  const rows = await database.query(`${source.name}_arrived`, arrivedStatement(source), [
    seen?.snapshot ?? null,
    at,
    part?.snapshot ?? null,
    part?.xact ?? null,
    part?.id ?? null,
    MAX_WAITING,
    seen?.history ?? null,
    ...source.values,
  ]);
  return readingOf(answerOfArrived.parse(rows));
}

/** `now`: nothing but where the log stands. `since`: after a moment. `seen`: behind a snapshot. */
type Form = "now" | "since" | "seen";

function formOf(position: Position | null): Form {
  if (position === null) return "now";
  return position.seen === null ? "since" : "seen";
}

const NEW: Record<Form, (source: Source) => string> = {
  now: () => "false and $1::text is null and $2::float8 is null",
  since: ({ after }) => `$1::text is null and ${after(`$2::float8 - ${SLACK_MS}`)}`,
  // The first condition is the index's. A number that the server has not given out yet is of before it was restored from a dump.
  seen: () => `e.xact >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(e.xact, $1::pg_snapshot)
      and $2::float8 is not null`,
};

/** The numbers of transactions in an entry are of the server where it was written. */
const WRITTEN_ON_THIS_SERVER = `(e.database_id = (select i.database_id from tenantry.identity i) or e.database_id in (
        select a.database_id from tenantry.arrivals a
        where split_part(a.history, '/', 1) = (select system_identifier::text from pg_control_system())))`;
const STANDING = `(extract(epoch from clock_timestamp()) * 1000)::float8::bigint::float8 as at,
           pg_current_snapshot()::text as snapshot,
           (select system_identifier::text from pg_control_system()) || '/' || ${TIMELINE_SQL} as history`;
const ARRIVALS = `(select json_agg(json_build_object('history', a.history, 'snapshot', a.snapshot,
             'at', (extract(epoch from a.at) * 1000)::bigint) order by a.at desc) from tenantry.arrivals a) as arrivals`;

/** Statements by what they are made of: what is sent again and again is not put together each time. */
const statements = new Map<string, string>();

function kept(source: Source, form: string, make: () => string): string {
  const { table, ofWhom, columns, wanted } = source;
  const key = `${table} ${ofWhom} ${columns} ${wanted} ${form}`;
  const found = statements.get(key) ?? make();
  statements.set(key, found);
  return found;
}

function statement(source: Source, form: Form): string {
  const { table, ofWhom, idType, columns, wanted, takesArrivals } = source;
  return kept(
    source,
    form,
    () => `with waiting as materialized (
      select e.* from ${table} e
      where ${ofWhom} and ${NEW[form](source)}
        and pg_visible_in_snapshot(e.xact, coalesce($3::text::pg_snapshot, pg_current_snapshot()))
        and (e.xact, e.id) > (coalesce($4::text::xid8, '0'), coalesce($5::text::${idType}, ${FIRST[idType]}))
        and e.at > now() - make_interval(secs => ${(KEPT_MS + SLACK_MS) / 1_000})
        ${takesArrivals && form === "seen" ? `and ${WRITTEN_ON_THIS_SERVER}` : ""}
      order by e.xact, e.id limit $6::int + 1)
    select ${STANDING}, (select count(*) from waiting) > $6::int as "isTooMuch",
           ${takesArrivals ? `${ARRIVALS},` : ""} f.*
    from (select) as one left join (
      select e.xact::text as xact, e.id::text as id, ${columns} from waiting e where ${wanted} order by e.xact, e.id limit $7::int) f on true
    order by f.xact::xid8, f.id::${idType}`,
  );
}

function arrivedStatement(source: Source): string {
  const { table, ofWhom, idType, columns, wanted } = source;
  return kept(
    source,
    "arrived",
    () => `with waiting as materialized (
      select e.* from ${table} e
      where ${ofWhom} and e.database_id in (select a.database_id from tenantry.arrivals a where a.history = $7)
        and not pg_visible_in_snapshot(e.xact, $1::pg_snapshot) and $2::float8 is not null
        and ($3::text is null or not pg_visible_in_snapshot(e.xact, $3::text::pg_snapshot)
             or (e.xact, e.id) > ($4::text::xid8, $5::text::${idType}))
        and e.at > now() - make_interval(secs => ${(KEPT_MS + SLACK_MS) / 1_000})
      order by e.xact, e.id limit $6::int + 1)
    select ${STANDING}, (select count(*) from waiting) > $6::int as "isTooMuch", f.*
    from (select) as one left join (
      select e.xact::text as xact, e.id::text as id, ${columns} from waiting e where ${wanted} limit $6::int) f on true
    order by f.xact::xid8, f.id::${idType}`,
  );
}

const FIRST = { uuid: "'00000000-0000-0000-0000-000000000000'::uuid", bigint: "-1::bigint" };
