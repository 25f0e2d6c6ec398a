/** Reading the log: a page of one database, newest first, and pages of several made one. */
import { z } from "zod";
import { type AuditEntry, OK, UNKNOWN, VIA, WHO } from "#engine/audit/entry";
import { isBetween } from "#base/kernel/page-range";
import { idsOfReversed, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import type { Queryable } from "#base/postgres/database";
import { sqlState, SQL_STATE } from "#base/postgres/sql-state";

const HOME_COLUMNS = `a.id, a.at, a.action, a.who, a.who_id as "whoId", a.via, host(a.address) as address,
            a.user_agent as "userAgent", a.subject_kind as "subjectKind",
            coalesce(o.subject_id, a.subject_id) as "subjectId",
            coalesce(a.organization_id, o.organization_id) as "organizationId",
            coalesce(a.placement_id, o.placement_id) as "placementId",
            coalesce(a.outcome, o.outcome, '${UNKNOWN}') as outcome, null as "regionKey"`;

/**
 * Home's entries in the order in which the page is read: those that concern an organization, or with null all. One more than the
 * page has, so that it can be said whether there are more. The caller has checked that the actor may read them.
 */
export function readHomeEntries(
  home: Queryable<"home">,
  organizationId: string | null,
  filter: AuditFilter,
  page: PageRequest,
): Promise<AuditEntry[]> {
  if (Object.values(filter).some((wanted) => wanted !== null)) return readFiltered(home, organizationId, filter, page);
  const order = readingOrder(page, "desc");
  // What began without its organization has it in its outcome.
  const concerning = `
    select id from (
      (select id from tenantry.audit_log
       where organization_id = $1 and ${isBetween("id", page, ["$2", "$3"], "desc")} order by id ${order} limit $4)
      union
      (select entry_id from tenantry.audit_outcomes
       where organization_id = $1 and ${isBetween("entry_id", page, ["$2", "$3"], "desc")}
       order by entry_id ${order} limit $4)
    ) concerning order by id ${order} limit $4`;
  const all = `
    select id from tenantry.audit_log
    where $1::uuid is null and ${isBetween("id", page, ["$2", "$3"], "desc")} order by id ${order} limit $4`;
  return home.query<AuditEntry>(
    "audit.read_home",
    `with page (id) as materialized (${organizationId === null ? all : concerning})
     select ${HOME_COLUMNS}
     from page join tenantry.audit_log a using (id) left join tenantry.audit_outcomes o on o.entry_id = a.id
     order by a.id ${order}`,
    [organizationId, ...idsOfReversed(page), page.first + 1],
  );
}

/** What is null does not narrow. `from` is the first moment and `to` the first one after. */
export type AuditFilter = {
  action: string | null;
  who: AuditEntry["who"] | null;
  whoId: string | null;
  subjectId: string | null;
  from: Date | null;
  to: Date | null;
  /** Whether `whoId` finds entries of operators, who are named to operators only. Null: no. */
  operatorsById: true | null;
};

export const ALL_ENTRIES: AuditFilter = {
  action: null,
  who: null,
  whoId: null,
  subjectId: null,
  from: null,
  to: null,
  operatorsById: null,
};

/** By clocks of several machines: the id's time and the database's may differ by this much. */
const CLOCKS_MS = 3_600_000;

/** The values of the filter's parameters from `$<first>` on, and the conditions on entries `a` that go with them. */
function conditionsOf(filter: AuditFilter, first: number): { text: string; values: unknown[] } {
  const at = (offset: number) => `$${first + offset}`;
  const { action, who, whoId, subjectId, from, to, operatorsById } = filter;
  // The bounds of the ids are the index's: what is asked of an early time reads no later entry.
  return {
    text: `(${at(0)}::text is null or a.action = ${at(0)}) and (${at(1)}::text is null or a.who = ${at(1)})
       and (${at(2)}::text is null or (a.who_id = ${at(2)} and (${at(8)}::boolean or a.who <> 'OPERATOR')))
       and (${at(4)}::timestamptz is null or (a.at >= ${at(4)} and a.id >= ${at(6)}::uuid))
       and (${at(5)}::timestamptz is null or (a.at < ${at(5)} and a.id < ${at(7)}::uuid))`,
    values: [
      action,
      who,
      whoId,
      subjectId,
      from,
      to,
      from === null ? null : idAt(from.getTime() - CLOCKS_MS),
      to === null ? null : idAt(to.getTime() + CLOCKS_MS),
      operatorsById === true,
    ],
  };
}

/** The first UUIDv7 of a moment. */
function idAt(ms: number): string {
  const hex = Math.max(0, Math.min(ms, 0xff_ff_ff_ff_ff_ff)).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/** The same with a filter: entries are looked through from the end of the page where it begins, until it is full. */
function readFiltered(
  home: Queryable<"home">,
  organizationId: string | null,
  filter: AuditFilter,
  request: PageRequest,
): Promise<AuditEntry[]> {
  const { text, values } = conditionsOf(filter, 5);
  const order = readingOrder(request, "desc");
  const both = "tenantry.audit_log a left join tenantry.audit_outcomes o on o.entry_id = a.id";
  // By either table's index on the organization: the log of all others is not looked through.
  const found = (concerning: string) => `(
    select a.id from ${both}
    where ${concerning} and ${isBetween("a.id", request, ["$2", "$3"], "desc")}
      and ${text} and ($8::text is null or coalesce(o.subject_id, a.subject_id) = $8)
    order by a.id ${order} limit $4)`;
  const page =
    organizationId === null
      ? found("$1::uuid is null")
      : `${found("a.organization_id = $1")} union ${found("o.organization_id = $1")}`;
  return home.query<AuditEntry>(
    organizationId === null ? "audit.read_home_filtered" : "audit.read_organization_filtered",
    `with page (id) as materialized (${page})
     select ${HOME_COLUMNS} from page join tenantry.audit_log a using (id)
     left join tenantry.audit_outcomes o on o.entry_id = a.id
     order by a.id ${order} limit $4`,
    [organizationId, ...idsOfReversed(request), request.first + 1, ...values],
  );
}

/** Where an organization's content is, and with it the entries about it. */
export type ContentLocation = {
  database: Queryable<"tenant">;
  organizationId: string;
  placementId: string;
  regionKey: string;
};

/** Longer than anything that the program writes. */
const text = z.string().max(1_000);
/** What a region may say: its server is not trusted, and its entries stand among those of others. */
const contentEntry = z.object({
  id: z.uuid(),
  at: z.date(),
  action: text,
  who: z.enum(WHO),
  whoId: text.nullable(),
  via: z.enum(VIA),
  address: text.nullable(),
  userAgent: text.nullable(),
  subjectKind: text.nullable(),
  subjectId: text.nullable(),
});

/**
 * The same of a tenant database, for the organization placed there. None in one of the version before the log, whose entries
 * are at home. Throws the driver's errors, and one for entries that the program cannot have written.
 */
export async function readContentEntries(
  location: ContentLocation,
  filter: AuditFilter,
  page: PageRequest,
): Promise<AuditEntry[]> {
  const { text: wanted, values } = conditionsOf(filter, 5);
  const { organizationId, placementId, regionKey } = location;
  try {
    const rows = await location.database.query(
      "audit.read_content",
      `select a.id, a.at, a.action, a.who, a.who_id as "whoId", a.via, host(a.address) as address,
              a.user_agent as "userAgent", a.subject_kind as "subjectKind", a.subject_id as "subjectId"
       from tenantry.audit_log a
       where a.organization_id = $1 and ${isBetween("a.id", page, ["$2", "$3"], "desc")}
         and ${wanted} and ($8::text is null or a.subject_id::text = $8)
       order by a.id ${readingOrder(page, "desc")} limit $4`,
      [organizationId, ...idsOfReversed(page), page.first + 1, ...values],
    );
    const entries = z
      .array(contentEntry)
      .max(page.first + 1)
      .safeParse(rows);
    // Without the issues, which repeat what was said.
    if (!entries.success) throw new Error("a region's audit log has entries that the program cannot have written");
    const same = { organizationId, placementId, outcome: OK, regionKey };
    return entries.data.map((entry) => Object.assign(entry, same));
  } catch (error) {
    if (sqlState(error) === SQL_STATE.undefinedTable) return [];
    throw error;
  }
}

/** One page of several lists, each of which is read as the page is. */
export function mergeEntries(lists: readonly AuditEntry[][], page: PageRequest): Page<AuditEntry> {
  // UUIDv7: the order of the text is the order of time.
  const sign = readingOrder(page, "desc") === "desc" ? 1 : -1;
  return toPage(
    lists.flat().toSorted((one, other) => (one.id < other.id ? sign : -sign)),
    page,
  );
}
