import type { Actor } from "#auth/actor";
import { findRole, requireInOrganization } from "#auth/membership";
import type { Role } from "#auth/policy";
import { invalidInput, notFound, TenantryError } from "#kernel/errors";
import { type Page, type PageRequest, toPage } from "#kernel/page";
import type { HomeDatabase } from "#postgres/database";

/** A user in an organization. */
export type Membership = { organizationId: string; userId: string; role: Role; joinedAt: Date };

const COLUMNS = `m.organization_id as "organizationId", m.user_id as "userId", m.role, m.joined_at as "joinedAt"`;

/**
 * Adds a user to an organization, or changes the role of one who belongs to it already.
 * INVALID_INPUT when there is no such user, CONFLICT when it would leave the organization without an owner.
 */
export function addMember(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { organizationId: string; userId: string; role: Role },
): Promise<Membership> {
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, input.organizationId, "manage-members");
    await lockOrganization(transaction, input.organizationId);
    // Who may not make owners may not unmake them either.
    if (input.role === "OWNER" || (await findRole(transaction, input.organizationId, input.userId)) === "OWNER")
      await requireInOrganization(transaction, actor, input.organizationId, "manage-owners");
    const users = await transaction.query("users.exists", "select from tenantry.users where id = $1", [input.userId]);
    if (users.length === 0) throw invalidInput("userId", "There is no user with this id.");
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

/** Removes a user from an organization. NOT_FOUND when they are no member, CONFLICT for the last owner. */
export function removeMember(
  { home }: { home: HomeDatabase },
  actor: Actor,
  input: { organizationId: string; userId: string },
): Promise<void> {
  return home.transaction(async (transaction) => {
    const leaving = actor.kind === "user" && actor.userId === input.userId;
    await requireInOrganization(transaction, actor, input.organizationId, leaving ? "read" : "manage-members");
    await lockOrganization(transaction, input.organizationId);
    if ((await findRole(transaction, input.organizationId, input.userId)) === "OWNER") {
      await requireInOrganization(transaction, actor, input.organizationId, "manage-owners");
      await keepAnOwner(transaction, input);
    }
    const removed = await transaction.query(
      "memberships.remove",
      "delete from tenantry.memberships where organization_id = $1 and user_id = $2 returning 1",
      [input.organizationId, input.userId],
    );
    if (removed.length === 0) throw notFound("Member");
  });
}

/** A page of an organization's members, by user id. The caller has checked that the actor may read it. */
export async function listMembers(
  { home }: { home: HomeDatabase },
  organizationId: string,
  page: PageRequest,
): Promise<Page<Membership>> {
  const rows = await home.query<Membership>(
    "memberships.list",
    `select ${COLUMNS} from tenantry.memberships m
     where m.organization_id = $1 and ($2::uuid is null or m.user_id > $2) order by m.user_id limit $3`,
    [organizationId, page.after, page.first + 1],
  );
  return toPage(rows, page);
}

/** One membership. NOT_FOUND when there is none. The caller has checked that the actor may read it. */
export async function getMembership(
  { home }: { home: HomeDatabase },
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

// Two owners who leave at the same moment must not both see the other.
async function lockOrganization(transaction: HomeTransaction, organizationId: string): Promise<void> {
  await transaction.query("organizations.lock", "select from tenantry.organizations where id = $1 for update", [
    organizationId,
  ]);
}

/** An organization that has an owner keeps one. One that the operator made may have none. */
async function keepAnOwner(
  transaction: HomeTransaction,
  { organizationId, userId }: { organizationId: string; userId: string },
): Promise<void> {
  const owners = await transaction.query<{ userId: string }>(
    "memberships.owners",
    `select user_id as "userId" from tenantry.memberships where organization_id = $1 and role = 'OWNER' limit 2`,
    [organizationId],
  );
  if (owners.length === 1 && owners[0]?.userId === userId)
    throw new TenantryError("CONFLICT", "This is the organization's last owner: make somebody else an owner first.");
}
