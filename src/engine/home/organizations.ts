import { type Actor, userIdOf, viewerId } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { seesOrganization } from "#engine/auth/visibility";
import { notFound, TenantryError } from "#base/kernel/errors";
import { isUuid, newId } from "#base/kernel/ids";
import { namePrefixPattern } from "#base/kernel/name-prefix";
import { idsOf, type Page, type PageRequest, readingOrder, toPage, toPages } from "#base/kernel/page";
import { isBetween, isPageOf } from "#base/kernel/page-range";
import { validName } from "#base/kernel/validation";
import type { HomeDatabase } from "#base/postgres/database";

/** A collection of users, owner of rows of the app. */
export type Organization = {
  id: string;
  name: string;
  createdAt: Date;
  /** When it was renamed; the moment of its making until then. */
  updatedAt: Date;
  /** Since when it is being deleted; null: nobody asked for that. */
  deletingAt: Date | null;
};

const COLUMNS = `o.id, o.name, o.created_at as "createdAt", o.updated_at as "updatedAt", o.deleting_at as "deletingAt"`;

/** Makes an organization; a calling user becomes its OWNER. INVALID_INPUT on a bad name, FORBIDDEN for a key. */
export function createOrganization(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { name: string },
): Promise<Organization> {
  if (actor.kind === "key")
    throw new TenantryError("FORBIDDEN", "A key of an organization works in that organization only.");
  const name = validName("name", input.name);
  return home.transaction(async (transaction) => {
    const [organization] = await transaction.query<Organization>(
      "organizations.create",
      `insert into tenantry.organizations as o (id, name, created_by) values ($1, $2, $3) returning ${COLUMNS}`,
      [newId(), name, userIdOf(actor)],
    );
    if (organization === undefined) throw new Error("the insert returned no row");
    if (actor.kind === "user")
      await transaction.query(
        "organizations.create_owner",
        "insert into tenantry.memberships (organization_id, user_id, role) values ($1, $2, 'OWNER')",
        [organization.id, actor.userId],
      );
    return organization;
  });
}

/** Gives an organization another name. INVALID_INPUT on a bad one, NOT_FOUND and FORBIDDEN for those who may not. */
export function renameOrganization(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { organizationId: string; name: string },
): Promise<Organization> {
  const name = validName("name", input.name);
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, input.organizationId, "manage-organization");
    const [organization] = await transaction.query<Organization>(
      "organizations.rename",
      `update tenantry.organizations o
       set name = $2, updated_at = case when o.name = $2 then o.updated_at else clock_timestamp() end
       where o.id = $1 returning ${COLUMNS}`,
      [input.organizationId, name],
    );
    if (organization === undefined) throw notFound("Organization");
    return organization;
  });
}

/** The organizations with these ids that the actor may see, in no particular order. */
export function findOrganizations(
  { home }: { home: HomeDatabase },
  actor: Actor,
  ids: readonly string[],
): Promise<Organization[]> {
  return home.query<Organization>(
    "organizations.find",
    `select ${COLUMNS} from tenantry.organizations o where o.id = any($1::uuid[]) and ${seesOrganization("o.id", "$2")}`,
    [ids, viewerId(actor)],
  );
}

/** One organization. NOT_FOUND when there is none that the actor may see. */
export async function getOrganization(
  context: { home: HomeDatabase },
  actor: Actor,
  id: string,
): Promise<Organization> {
  const [organization] = await findOrganizations(context, actor, [id]);
  if (organization === undefined) throw notFound("Organization");
  return organization;
}

/** The same page of each user's organizations, by id. The caller has checked that the actor may see them. */
export async function listOrganizationsOf(
  { home }: { home: HomeDatabase },
  userIds: readonly string[],
  page: PageRequest,
): Promise<Map<string, Page<Organization>>> {
  const order = readingOrder(page);
  const rows = await home.query<Organization & { userId: string }>(
    "organizations.of_users",
    `select wanted.user_id as "userId", o.* from unnest($1::uuid[]) as wanted (user_id)
     cross join lateral (
       select ${COLUMNS} from tenantry.memberships m join tenantry.organizations o on o.id = m.organization_id
       where ${isPageOf(["m.user_id", "m.organization_id"], "wanted.user_id", ["$2", "$3"])}
       order by m.user_id ${order}, m.organization_id ${order} limit $4) o
     order by o.id ${order}`,
    [userIds, ...idsOf(page), page.first + 1],
  );
  return toPages(userIds, rows, ({ userId }) => userId, page);
}

/** `search`: how the name begins, in upper or lower case, or the id. What is left out or null does not narrow. */
export type OrganizationFilter = { search?: string | null; regionKey?: string | null };

/** A page of the organizations that the actor may see, by age. */
export async function listOrganizations(
  { home }: { home: HomeDatabase },
  actor: Actor,
  page: PageRequest,
  { search = null, regionKey = null }: OrganizationFilter = {},
): Promise<Page<Organization>> {
  const text = search?.trim() ?? "";
  const wanted = text === "" ? null : text;
  const rows = await home.query<Organization>(
    "organizations.list",
    `select ${COLUMNS} from tenantry.organizations o
     where ${isBetween("o.id", page, ["$1", "$2"])} and ${seesOrganization("o.id", "$4")}
       and ($5::text is null or o.name collate "C" ~ $5 or o.id = $6)
       and ($7::text is null or exists (
         select from tenantry.placements p join tenantry.regions r on r.id = p.region_id
         where p.organization_id = o.id and r.key = $7))
     order by o.id ${readingOrder(page)} limit $3`,
    [
      ...idsOf(page),
      page.first + 1,
      viewerId(actor),
      wanted === null ? null : namePrefixPattern(validName("search", wanted)),
      wanted !== null && isUuid(wanted) ? wanted : null,
      regionKey,
    ],
  );
  return toPage(rows, page);
}

/** What stands beside organizations in a list. The caller has checked that the actor may see them. */
export type OrganizationFacts = { organizationId: string; members: number; lastActivityAt: Date | null };

/**
 * How many members each has, and when something of it was last done, as far as home knows: by its entries in the audit log at
 * home, and by what its own tenant databases have sent.
 */
export function readOrganizationFacts(
  { home }: { home: HomeDatabase },
  organizationIds: readonly string[],
): Promise<OrganizationFacts[]> {
  return home.query<OrganizationFacts>(
    "organizations.facts",
    `select wanted.id as "organizationId",
       (select count(*)::int from tenantry.memberships m where m.organization_id = wanted.id) as members,
       greatest(
         (select a.at from tenantry.audit_log a where a.organization_id = wanted.id order by a.id desc limit 1),
         (select max(l.carried_at) from tenantry.placements p
          join tenantry.links l on l.database_id = p.database_id and l.direction = 'catalog'
          where p.organization_id = wanted.id and p.isolation = 'DEDICATED')) as "lastActivityAt"
     from unnest($1::uuid[]) as wanted (id)`,
    [organizationIds],
  );
}

/** What goes with an organization, besides its placements. */
export type OrganizationCounts = { members: number; keys: number; invitations: number };

export async function countOrganization(
  { home }: { home: HomeDatabase },
  organizationId: string,
): Promise<OrganizationCounts> {
  const [row] = await home.query<OrganizationCounts>(
    "organizations.count",
    `select (select count(*)::int from tenantry.memberships where organization_id = $1) as members,
       (select count(*)::int from tenantry.api_keys where organization_id = $1 and revoked_at is null) as keys,
       (select count(*)::int from tenantry.invitations
        where organization_id = $1 and accepted_at is null and revoked_at is null) as invitations`,
    [organizationId],
  );
  return row ?? { members: 0, keys: 0, invitations: 0 };
}
