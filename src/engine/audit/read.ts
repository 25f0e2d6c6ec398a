/** Reading the log: a page of one database, newest first, and pages of several made one. */
import { z } from "zod";
import { type AuditEntry, OK, UNKNOWN, VIA, WHO } from "#engine/audit/entry";
import { isBetween } from "#base/kernel/page-range";
import { idsOfReversed, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import type { Queryable } from "#base/postgres/database";
import { sqlState, SQL_STATE } from "#base/postgres/sql-state";

/**
 * Home's entries in the order in which the page is read: those that concern an organization, or with null all. One more than the
 * page has, so that it can be said whether there are more. The caller has checked that the actor may read them.
 */
export function readHomeEntries(
  home: Queryable<"home">,
  organizationId: string | null,
  page: PageRequest,
): Promise<AuditEntry[]> {
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
     select a.id, a.at, a.action, a.who, a.who_id as "whoId", a.via, host(a.address) as address,
            a.user_agent as "userAgent", a.subject_kind as "subjectKind",
            coalesce(o.subject_id, a.subject_id) as "subjectId",
            coalesce(a.organization_id, o.organization_id) as "organizationId",
            coalesce(a.placement_id, o.placement_id) as "placementId",
            coalesce(a.outcome, o.outcome, '${UNKNOWN}') as outcome, null as "regionKey"
     from page join tenantry.audit_log a using (id) left join tenantry.audit_outcomes o on o.entry_id = a.id
     order by a.id ${order}`,
    [organizationId, ...idsOfReversed(page), page.first + 1],
  );
}

/** Where an organization's content is, and with it the entries about it. */
export type ContentLocation = {
  database: Queryable<"tenant">;
  databaseId: number;
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
export async function readContentEntries(location: ContentLocation, page: PageRequest): Promise<AuditEntry[]> {
  const { organizationId, placementId, regionKey } = location;
  try {
    const rows = await location.database.query(
      "audit.read_content",
      `select id, at, action, who, who_id as "whoId", via, host(address) as address, user_agent as "userAgent",
              subject_kind as "subjectKind", subject_id as "subjectId"
       from tenantry.audit_log
       where organization_id = $1 and database_id = $2 and ${isBetween("id", page, ["$3", "$4"], "desc")}
       order by id ${readingOrder(page, "desc")} limit $5`,
      [organizationId, location.databaseId, ...idsOfReversed(page), page.first + 1],
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
