import { type Actor, viewerId } from "#engine/auth/actor";
import { findRole, requireInOrganization } from "#engine/auth/membership";
import type { Role } from "#engine/auth/policy";
import { seesOrganization, seesPerson } from "#engine/auth/visibility";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { idsOf, type Page, type PageRequest, readingOrder, toPages } from "#base/kernel/page";
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { isUuid } from "#base/kernel/ids";
import { namePrefixPattern } from "#base/kernel/name-prefix";
import { isPageOf } from "#base/kernel/page-range";
import { validName } from "#base/kernel/validation";

/** A user in an organization. */
export type Membership = { organizationId: string; userId: string; role: Role; joinedAt: Date };

/** The id of a membership: those of the organization and the user, with a colon between. */
export function membershipId({ organizationId, userId }: Pick<Membership, "organizationId" | "userId">): string {
  return `${organizationId}:${userId}`;
}

/** What {@link membershipId} has made; null: it has not made that. */
export function parseMembershipId(id: string): Pick<Membership, "organizationId" | "userId"> | null {
  const [organizationId = "", userId = "", ...more] = id.split(":");
  return isUuid(organizationId) && isUuid(userId) && more.length === 0 ? { organizationId, userId } : null;
}

/** The memberships with these ids in organizations that the actor belongs to, in no particular order. */
export function findMemberships(
  { home }: { home: HomeDatabase },
  actor: Actor,
  ids: readonly string[],
): Promise<Membership[]> {
  const wanted = ids.map(parseMembershipId).filter((one) => one !== null);
  return home.query<Membership>(
    "memberships.find",
    `select ${COLUMNS} from unnest($1::uuid[], $2::uuid[]) as wanted (organization_id, user_id)
     join tenantry.memberships m on m.organization_id = wanted.organization_id and m.user_id = wanted.user_id
     where ${seesOrganization("m.organization_id", "$3")}`,
    [wanted.map(({ organizationId }) => organizationId), wanted.map(({ userId }) => userId), viewerId(actor)],
  );
}

const COLUMNS = `m.organization_id as "organizationId", m.user_id as "userId", m.role, m.joined_at as "joinedAt"`;

/**
 * Adds a user to an organization, or changes the role of one who belongs to it already. Callers other than the operator add
 * people whom they share an organization with; a key has no other organization than its own. An id is no secret, and a
 * membership shows a name and an address, so everybody else has to accept an invitation. INVALID_INPUT for them, and in the
 * same words for an id of nobody; CONFLICT when it would leave the organization without an owner. FORBIDDEN when the caller
 * is no owner and changes who is one.
 */
export function addMember(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { organizationId: string; userId: string; role: Role },
): Promise<Membership> {
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, input.organizationId, "manage-members");
    const before = await lockMember(transaction, input);
    // Who may not make owners may not unmake them either. Asked again in any case: the actor may be out by now.
    const isAboutOwner = input.role === "OWNER" || before === "OWNER";
    const action = isAboutOwner ? "manage-owners" : "manage-members";
    await requireInOrganization(transaction, actor, input.organizationId, action);
    if (!(await mayBeAdded(transaction, actor, input.userId)))
      throw invalidInput("userId", actor.kind === "operator" ? NO_SUCH_USER : NOBODY_KNOWN);
    if (input.role !== "OWNER") await keepAnOwner(transaction, input);
    const [membership] = await transaction.query<Membership>(
      "memberships.add",
      `insert into tenantry.memberships as m (organization_id, user_id, role) values ($1, $2, $3)
       on conflict (organization_id, user_id) do update set role = excluded.role
       returning ${COLUMNS}`,
      [input.organizationId, input.userId, input.role],
    );
    if (membership === undefined) throw new Error("the insert returned no row");
    return membership;
  });
}

const NO_SUCH_USER = "There is no user with this id.";
const NOBODY_KNOWN =
  "You share no organization with a user of this id. Invite people with inviteMember, by their e-mail address.";

async function mayBeAdded(transaction: HomeTransaction, actor: Actor, userId: string): Promise<boolean> {
  const found = await transaction.query(
    "memberships.may_be_added",
    `select from tenantry.users u where u.id = $1 and u.erased_at is null and ${seesPerson("u.id", "$2")}`,
    [userId, viewerId(actor)],
  );
  return found.length > 0;
}

/**
 * The calling owner makes another member an owner and becomes an ADMIN, at one moment. INVALID_INPUT for somebody who is no
 * member, FORBIDDEN for callers who are no owner. Returns the new owner's membership.
 */
export function transferOwnership(
  { home }: { home: HomeDatabase },
  actor: Actor,
  { organizationId, userId }: { organizationId: string; userId: string },
): Promise<Membership> {
  if (actor.kind !== "user")
    throw new TenantryError("FORBIDDEN", "Only an owner can hand an organization over: call as that user.");
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, organizationId, "manage-owners");
    const before = await lockMember(transaction, { organizationId, userId });
    // Asked again: the caller may have lost the role while others held the organization.
    await requireInOrganization(transaction, actor, organizationId, "manage-owners");
    if (userId === actor.userId) throw invalidInput("userId", "You are an owner already: name somebody else.");
    if (before === null || !(await mayBeAdded(transaction, actor, userId)))
      throw invalidInput("userId", "This user is not a member: add or invite them first.");
    await transaction.query(
      "memberships.hand_over",
      `update tenantry.memberships set role = case when user_id = $2 then 'OWNER' else 'ADMIN' end
       where organization_id = $1 and user_id in ($2, $3)`,
      [organizationId, userId, actor.userId],
    );
    return getMembership({ home: transaction }, organizationId, userId);
  });
}

/**
 * Removes a user from an organization. NOT_FOUND when they are no member, CONFLICT for the last owner, FORBIDDEN for who
 * removes an owner and is none.
 */
export function removeMember(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { organizationId: string; userId: string },
): Promise<void> {
  if (actor.kind === "user" && actor.userId === input.userId) return leave({ home }, actor, input.organizationId);
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, input.organizationId, "manage-members");
    const isOwner = (await lockMember(transaction, input)) === "OWNER";
    await requireInOrganization(transaction, actor, input.organizationId, isOwner ? "manage-owners" : "manage-members");
    await remove(transaction, input);
  });
}

/** Removes the calling user from an organization. NOT_FOUND when they are not in it, CONFLICT for the last owner. */
export function leave({ home }: { home: HomeDatabase }, actor: Actor, organizationId: string): Promise<void> {
  if (actor.kind !== "user") throw new TenantryError("FORBIDDEN", "Only a user can leave: call as the one who does.");
  const { userId } = actor;
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, organizationId, "read");
    await lockMember(transaction, { organizationId, userId });
    await remove(transaction, { organizationId, userId });
  });
}

async function remove(transaction: HomeTransaction, member: { organizationId: string; userId: string }): Promise<void> {
  await keepAnOwner(transaction, member);
  const removed = await transaction.query(
    "memberships.remove",
    "delete from tenantry.memberships where organization_id = $1 and user_id = $2 returning 1",
    [member.organizationId, member.userId],
  );
  if (removed.length === 0) throw notFound("Member");
}

/** Which members: those with this role, and those whose name begins with this text in any case. Null: whatever it is. */
export type MemberFilter = { role: Role | null; name: string | null };

/** The filter of a list's arguments; undefined when there is none. INVALID_INPUT for what cannot be the start of a name. */
export function readMemberFilter(input: {
  role?: Role | null | undefined;
  name?: string | null | undefined;
}): MemberFilter | undefined {
  const role = input.role ?? null;
  const name = input.name == null ? null : validName("name", input.name);
  return role === null && name === null ? undefined : { role, name };
}

/** The same page of each organization's members, by user id. The caller has checked that the actor may read them. */
export async function listMembers(
  { home }: { home: HomeDatabase },
  organizationIds: readonly string[],
  page: PageRequest,
  filter?: MemberFilter,
): Promise<Map<string, Page<Membership>>> {
  if (filter !== undefined) return findMembers({ home }, organizationIds, page, filter);
  const order = readingOrder(page);
  const rows = await home.query<Membership>(
    "memberships.list",
    `select m.* from unnest($1::uuid[]) as wanted (organization_id)
     cross join lateral (
       select ${COLUMNS} from tenantry.memberships m
       where ${isPageOf(["m.organization_id", "m.user_id"], "wanted.organization_id", ["$2", "$3"])}
       order by m.organization_id ${order}, m.user_id ${order} limit $4) m
     order by m."userId" ${order}`,
    [organizationIds, ...idsOf(page), page.first + 1],
  );
  return toPages(organizationIds, rows, ({ organizationId }) => organizationId, page);
}

/** As {@link listMembers}, of those alone that the filter lets pass. Reads at most the members of the organization. */
async function findMembers(
  { home }: { home: HomeDatabase },
  organizationIds: readonly string[],
  page: PageRequest,
  { role, name }: MemberFilter,
): Promise<Map<string, Page<Membership>>> {
  const order = readingOrder(page);
  // The name is a subquery and no join, so that PostgreSQL looks up members' names and never goes through all users.
  const rows = await home.query<Membership>(
    "memberships.find_in_list",
    `select m.* from unnest($1::uuid[]) as wanted (organization_id)
     cross join lateral (
       select ${COLUMNS} from tenantry.memberships m
       where ${isPageOf(["m.organization_id", "m.user_id"], "wanted.organization_id", ["$2", "$3"])}
         and ($5::text is null or m.role = $5)
         and ($6::text is null or (select u.name from tenantry.users u where u.id = m.user_id) collate "C" ~ $6)
       order by m.organization_id ${order}, m.user_id ${order} limit $4) m
     order by m."userId" ${order}`,
    [organizationIds, ...idsOf(page), page.first + 1, role, name === null ? null : namePrefixPattern(name)],
  );
  return toPages(organizationIds, rows, ({ organizationId }) => organizationId, page);
}

/** Nothing counts further than this. */
export const MAX_COUNTED = 10_000;

/** How many members each organization has, or of those that a filter lets pass; null where it is more than {@link MAX_COUNTED}. */
export async function countMembers(
  { home }: { home: HomeDatabase },
  organizationIds: readonly string[],
  filter: MemberFilter = { role: null, name: null },
): Promise<Map<string, number | null>> {
  const { role, name } = filter;
  const rows = await home.query<{ organizationId: string; members: number }>(
    "memberships.count",
    `select wanted.organization_id as "organizationId", (
       select count(*)::int from (
         select from tenantry.memberships m
         where m.organization_id = wanted.organization_id and ($2::text is null or m.role = $2)
           and ($3::text is null or (select u.name from tenantry.users u where u.id = m.user_id) collate "C" ~ $3)
         limit ${MAX_COUNTED + 1}) counted) as members
     from unnest($1::uuid[]) as wanted (organization_id)`,
    [organizationIds, role, name === null ? null : namePrefixPattern(name)],
  );
  return new Map(rows.map(({ organizationId, members }) => [organizationId, members > MAX_COUNTED ? null : members]));
}

/** One membership. NOT_FOUND when there is none. The caller has checked that the actor may read it. */
export async function getMembership(
  { home }: { home: Queryable<"home"> },
  organizationId: string,
  userId: string,
): Promise<Membership> {
  const [membership] = await home.query<Membership>(
    "memberships.get",
    `select ${COLUMNS} from tenantry.memberships m where m.organization_id = $1 and m.user_id = $2`,
    [organizationId, userId],
  );
  if (membership === undefined) throw notFound("Member");
  return membership;
}

type HomeTransaction = Parameters<Parameters<HomeDatabase["transaction"]>[0]>[0];

/**
 * Locks the organization, as two owners who leave at the same moment must not both see the other. Returns the member's role
 * as it is from then on. Call it for who is known to be in the organization: nobody else is to hold up its members.
 */
async function lockMember(
  transaction: HomeTransaction,
  { organizationId, userId }: { organizationId: string; userId: string },
): Promise<Role | null> {
  await transaction.query("organizations.lock", "select from tenantry.organizations where id = $1 for update", [
    organizationId,
  ]);
  return findRole(transaction, organizationId, userId);
}

/** An organization that has an owner keeps one who was not erased. One that the operator made may have none. */
async function keepAnOwner(
  transaction: HomeTransaction,
  { organizationId, userId }: { organizationId: string; userId: string },
): Promise<void> {
  const owners = await transaction.query<{ userId: string }>(
    "memberships.owners",
    `select m.user_id as "userId" from tenantry.memberships m join tenantry.users u on u.id = m.user_id
     where m.organization_id = $1 and m.role = 'OWNER' and u.erased_at is null limit 2`,
    [organizationId],
  );
  if (owners.length === 1 && owners[0]?.userId === userId)
    throw new TenantryError("CONFLICT", "This is the organization's last owner: make somebody else an owner first.");
}
