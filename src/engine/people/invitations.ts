import { createHash, randomBytes } from "node:crypto";
import { type Actor, viewerId } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { ROLES, type Role, rolesThatMay } from "#engine/auth/policy";
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import { isBetween } from "#base/kernel/page-range";
import { idsOf, type Page, type PageRequest, readingOrder, toPages } from "#base/kernel/page";
import { validEmail } from "#base/kernel/validation";
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { countMail, uncountMailToAddress } from "#engine/people/mail-limits";

/** Somebody who may become a member. The token is not part of it: only its digest is kept. */
export type Invitation = {
  id: string;
  organizationId: string;
  email: string;
  role: Role;
  createdAt: Date;
  expiresAt: Date;
};

/** What is to be delivered: the token is known here and nowhere else. */
export type NewInvitation = {
  invitation: Invitation;
  token: string;
  organizationName: string;
  /** Who invites; null: the operator. */
  inviterName: string | null;
  /** The mail that brings it, as it was counted. */
  mailId: string;
  /** The open invitation that it took the place of. */
  replacedId: string | null;
};

const COLUMNS = `i.id, i.organization_id as "organizationId", i.email, i.role, i.created_at as "createdAt",
  i.expires_at as "expiresAt"`;
const OPEN = "i.accepted_at is null and i.revoked_at is null and i.expires_at > now()";

const MAX_DAYS = 30;
const TOKEN_BYTES = 32;
/** Open invitations of one organization: an address book cannot be mailed through it. */
const MAX_OPEN = 200;

/**
 * Invites an address; an open invitation of the same address is replaced, its token with it. INVALID_INPUT on a bad address or
 * time, LIMIT_EXCEEDED with too many open ones or too many mails; NOT_FOUND and FORBIDDEN as for adding a member of that role,
 * and whatever `requireMail` throws to a caller that passes these. Says nothing of whether the address belongs to a user.
 */
export async function createInvitation(
  { home, requireMail = () => undefined }: { home: HomeDatabase; requireMail?: () => void },
  actor: Actor,
  input: { organizationId: string; email: string; role: Role; expiresInDays: number },
): Promise<NewInvitation> {
  const { organizationId } = input;
  const email = validEmail("email", input.email);
  if (input.expiresInDays < 1 || input.expiresInDays > MAX_DAYS)
    throw invalidInput("expiresInDays", `expiresInDays must be between 1 and ${MAX_DAYS}.`);
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  return home.transaction(async (transaction) => {
    await requireInOrganization(transaction, actor, organizationId, manageAction(input.role));
    requireMail();
    const organizationName = await lockWithRoom(transaction, organizationId);
    const mailId = await countMail(transaction, actor, { organizationId, email });
    const [replaced] = await transaction.query<{ id: string }>(
      "invitations.replace",
      `update tenantry.invitations set revoked_at = now()
       where organization_id = $1 and tenantry.address_key(email) = tenantry.address_key($2)
         and accepted_at is null and revoked_at is null
       returning id`,
      [organizationId, email],
    );
    const [invitation] = await transaction.query<Invitation>(
      "invitations.create",
      `insert into tenantry.invitations as i (id, organization_id, email, role, token_hash, invited_by, expires_at)
       values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 day') returning ${COLUMNS}`,
      [newId(), organizationId, email, input.role, digest(token), viewerId(actor) ?? "operator", input.expiresInDays],
    );
    if (invitation === undefined) throw new Error("the insert returned no row");
    const inviterName = await inviterNameOf(transaction, actor, organizationName);
    return { invitation, token, organizationName, inviterName, mailId, replacedId: replaced?.id ?? null };
  });
}

/** Locks the organization and returns its name. LIMIT_EXCEEDED when it has too many open invitations. */
async function lockWithRoom(transaction: Queryable<"home">, organizationId: string): Promise<string> {
  const [organization] = await transaction.query<{ name: string; open: number }>(
    "invitations.organization",
    `select o.name, (select count(*)::int from tenantry.invitations i where i.organization_id = o.id and ${OPEN}) as open
     from tenantry.organizations o where o.id = $1 for update of o`,
    [organizationId],
  );
  if (organization === undefined) throw notFound("Organization");
  if (organization.open >= MAX_OPEN)
    throw new TenantryError("LIMIT_EXCEEDED", `The organization has ${MAX_OPEN} open invitations: revoke some first.`);
  return organization.name;
}

/** Who invites, as the letter says it: a user's name; for a key that of its organization; null for the operator. */
async function inviterNameOf(
  transaction: Queryable<"home">,
  actor: Actor,
  organizationName: string,
): Promise<string | null> {
  if (actor.kind === "operator") return null;
  if (actor.kind === "key") return organizationName;
  const [user] = await transaction.query<{ name: string }>(
    "invitations.inviter",
    "select name from tenantry.users where id = $1",
    [actor.userId],
  );
  return user?.name ?? organizationName;
}

/**
 * Takes back an invitation whose mail could not be sent, as nobody could accept it. The one that it replaced, whose mail has
 * arrived, is open again, unless there is yet another by now.
 */
export async function undoInvitation(
  { home }: { home: HomeDatabase },
  { invitation, replacedId, mailId }: NewInvitation,
): Promise<void> {
  await home.transaction(async (transaction) => {
    await transaction.query("invitations.lock", "select from tenantry.organizations where id = $1 for update", [
      invitation.organizationId,
    ]);
    const undone = await transaction.query(
      "invitations.undo",
      `update tenantry.invitations set revoked_at = now()
       where id = $1 and accepted_at is null and revoked_at is null returning 1`,
      [invitation.id],
    );
    if (undone.length > 0 && replacedId !== null)
      await transaction.query("invitations.reopen", "update tenantry.invitations set revoked_at = null where id = $1", [
        replacedId,
      ]);
    await uncountMailToAddress(transaction, mailId);
  });
}

/** Who may make owners may invite them. */
function manageAction(role: Role): "manage-owners" | "manage-members" {
  return role === "OWNER" ? "manage-owners" : "manage-members";
}

/**
 * Makes the calling user a member, by the token. NOT_FOUND for a token that is unknown, used, revoked, expired or was sent to
 * another address: none of these is told apart. Who is a member already keeps a role that allows more.
 */
export async function acceptInvitation(
  { home }: { home: HomeDatabase },
  actor: Actor,
  token: string,
): Promise<{ organizationId: string; userId: string }> {
  if (actor.kind !== "user")
    throw new TenantryError("FORBIDDEN", "Only a user can accept an invitation: call as the one who was invited.");
  return home.transaction(async (transaction) => {
    const [invitation] = await transaction.query<{ id: string; organizationId: string; role: Role }>(
      "invitations.accept",
      `update tenantry.invitations i set accepted_at = now(), accepted_by = u.id
       from tenantry.users u
       where i.token_hash = $1 and ${OPEN} and u.id = $2
         and tenantry.address_key(u.email) = tenantry.address_key(i.email)
       returning i.id, i.organization_id as "organizationId", i.role`,
      [digest(token), actor.userId],
    );
    if (invitation === undefined) throw notFound("Invitation");
    await joinOrganization(transaction, invitation, actor.userId);
    return { organizationId: invitation.organizationId, userId: actor.userId };
  });
}

async function joinOrganization(
  transaction: Queryable<"home">,
  { organizationId, role }: { organizationId: string; role: Role },
  userId: string,
): Promise<void> {
  await transaction.query(
    "invitations.join",
    `insert into tenantry.memberships as m (organization_id, user_id, role) values ($1, $2, $3)
     on conflict (organization_id, user_id) do update set role = excluded.role
     where array_position($4::text[], excluded.role) < array_position($4::text[], m.role)`,
    [organizationId, userId, role, ROLES],
  );
}

/** Takes an open invitation back. NOT_FOUND when there is none that the actor may see. */
export async function revokeInvitation(
  { home }: { home: HomeDatabase },
  actor: Actor,
  id: string,
): Promise<Invitation> {
  return home.transaction(async (transaction) => {
    const [invitation] = await transaction.query<Invitation>(
      "invitations.find",
      `select ${COLUMNS} from tenantry.invitations i
       where i.id = $1 and i.accepted_at is null and i.revoked_at is null and ($2::uuid is null or exists (
         select from tenantry.roles s where s.organization_id = i.organization_id and s.holder_id = $2))
       for update`,
      [id, viewerId(actor)],
    );
    if (invitation === undefined) throw notFound("Invitation");
    await requireInOrganization(transaction, actor, invitation.organizationId, manageAction(invitation.role));
    await transaction.query("invitations.revoke", "update tenantry.invitations set revoked_at = now() where id = $1", [
      id,
    ]);
    return invitation;
  });
}

/**
 * The same page of each organization's open invitations, by age. The caller has checked that the actor may manage members
 * there.
 */
export async function listInvitations(
  { home }: { home: HomeDatabase },
  organizationIds: readonly string[],
  page: PageRequest,
): Promise<Map<string, Page<Invitation>>> {
  const order = readingOrder(page);
  const rows = await home.query<Invitation>(
    "invitations.list",
    `select i.* from unnest($1::uuid[]) as wanted (organization_id)
     cross join lateral (
       select ${COLUMNS} from tenantry.invitations i
       where i.organization_id = wanted.organization_id and ${OPEN} and ${isBetween("i.id", page, ["$2", "$3"])}
       order by i.id ${order} limit $4) i
     order by i.id ${order}`,
    [organizationIds, ...idsOf(page), page.first + 1],
  );
  return toPages(organizationIds, rows, ({ organizationId }) => organizationId, page);
}

/** The open invitations with these ids that the actor may list, in no particular order. */
export function findInvitations(
  { home }: { home: HomeDatabase },
  actor: Actor,
  ids: readonly string[],
): Promise<Invitation[]> {
  return home.query<Invitation>(
    "invitations.by_ids",
    `select ${COLUMNS} from tenantry.invitations i
     where i.id = any($1::uuid[]) and ${OPEN} and ($2::uuid is null or exists (
       select from tenantry.roles s
       where s.organization_id = i.organization_id and s.holder_id = $2 and s.role = any($3)))`,
    [ids, viewerId(actor), rolesThatMay("manage-members")],
  );
}

/** How many open invitations each organization has: a few hundred at most. The caller has checked that the actor may list them. */
export async function countInvitations(
  { home }: { home: HomeDatabase },
  organizationIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await home.query<{ organizationId: string; invitations: number }>(
    "invitations.count",
    `select i.organization_id as "organizationId", count(*)::int as invitations from tenantry.invitations i
     where i.organization_id = any($1::uuid[]) and ${OPEN} group by i.organization_id`,
    [organizationIds],
  );
  return new Map(rows.map(({ organizationId, invitations }) => [organizationId, invitations]));
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
