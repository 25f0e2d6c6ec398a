/** The audit log as people read it: home's entries, and those of an organization's regions, which stay there. */
import type { AuditEntry } from "#engine/audit/entry";
import {
  ALL_ENTRIES,
  type AuditFilter,
  type ContentLocation,
  mergeEntries,
  readContentEntries,
  readHomeEntries,
} from "#engine/audit/read";
import type { Actor } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { authorizeOperator } from "#engine/auth/policy";
import { TenantryError } from "#base/kernel/errors";
import type { Page, PageRequest } from "#base/kernel/page";
import type { Services } from "#engine/services";

/** A region that answers later than this counts as one that cannot be reached. */
const MAX_ANSWER_MS = 10_000;

/** Placements in these states have a database with entries in it. A suspended one is closed for content, not for its log. */
const READABLE: ReadonlySet<string> = new Set(["ACTIVE", "MOVING", "SUSPENDED"]);

/** `missingRegions`: keys of those whose entries are not in it, as they could not be asked. */
export type AuditPage = Page<AuditEntry> & { missingRegions: string[] };

export type AuditRequest = {
  /** Whose; null: everything that home has, for the operator. */
  organizationId: string | null;
  /** Leave regions out that cannot be reached now, and name them, instead of refusing. */
  leaveOutUnavailable: boolean;
  /** Left out: all entries. */
  filter?: WantedEntries;
};

/** What is null does not narrow. `from` is the first moment and `to` the first one after. */
export type WantedEntries = Omit<AuditFilter, "operatorsById">;

/**
 * A page of the log, newest first. For the organization's owners, its keys with that role, and the operator. NOT_FOUND and
 * FORBIDDEN for everybody else; REGION_UNAVAILABLE when a region cannot be asked: a page with holes would be taken for whole.
 */
export async function readAuditLog(
  services: Pick<Services, "home" | "logger" | "router">,
  actor: Actor,
  { organizationId, leaveOutUnavailable, filter: wanted = ALL_ENTRIES }: AuditRequest,
  page: PageRequest,
): Promise<AuditPage> {
  const filter: AuditFilter = {
    ...wanted,
    operatorsById: actor.kind === "operator" && wanted.whoId !== null ? true : null,
  };
  if (organizationId === null) {
    authorizeOperator(actor);
    return { ...mergeEntries([await readHomeEntries(services.home, null, filter, page)], page), missingRegions: [] };
  }
  await requireInOrganization(services.home, actor, organizationId, "read-audit-log");
  const locations = await contentLocations(services, organizationId);
  const [home, ...regions] = await Promise.all([
    readHomeEntries(services.home, organizationId, filter, page),
    ...locations.map((location) => readLocation(services, location, filter, page)),
  ]);
  const missingRegions = locations.filter((_, index) => regions[index] === undefined).map(({ regionKey }) => regionKey);
  if (missingRegions.length > 0 && !leaveOutUnavailable)
    throw new TenantryError(
      "REGION_UNAVAILABLE",
      `The entries in region ${missingRegions.join(", ")} cannot be read now; try again later, or ask with leaveOutUnavailable for the others.`,
    );
  const { rows, ...ends } = mergeEntries([home, ...regions.map((entries) => entries ?? [])], page);
  return { rows: actor.kind === "operator" ? rows : rows.map(forOwners), ...ends, missingRegions };
}

/** Owners see that an operator did it; from where, and with what an operator signs in, is the operators' own. */
function forOwners(entry: AuditEntry): AuditEntry {
  return entry.who === "OPERATOR" ? { ...entry, whoId: null, address: null, userAgent: null } : entry;
}

/** As the API sees them: row-level security shows the organization's entries only. */
async function contentLocations(
  { router }: Pick<Services, "router">,
  organizationId: string,
): Promise<ContentLocation[]> {
  const routes = await router.routesOf(organizationId);
  return routes
    .filter(({ state }) => READABLE.has(state))
    .map(({ placementId, regionKey, open }) => ({
      database: open(),
      organizationId,
      placementId,
      regionKey,
    }));
}

/** Undefined when the region cannot be asked, whatever the reason: it is said, and the reason is in the log. */
async function readLocation(
  { logger }: Pick<Services, "logger">,
  location: ContentLocation,
  filter: AuditFilter,
  page: PageRequest,
): Promise<AuditEntry[] | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), MAX_ANSWER_MS);
  try {
    return await Promise.race([readContentEntries(location, filter, page), late.promise]);
  } catch (error) {
    logger.warn({ err: error, region: location.regionKey }, "the entries of a region's audit log cannot be read");
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
