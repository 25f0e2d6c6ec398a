import { requireInOrganization } from "#engine/auth/membership";
import { ROLES, type Role } from "#engine/auth/roles";
import { addMember, listMembers, type Membership, readMemberFilter, removeMember } from "#engine/home/memberships";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import type { Services } from "#engine/services";
import { invalidInput } from "#base/kernel/errors";
import { type Page, toPage } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";
import { type Actor, readActor } from "#library/actor";
import { type PageInput, readPage } from "#library/pages";
import { recordedAct } from "#library/recorded";

export type { Membership } from "#engine/home/memberships";
export type { Role } from "#engine/auth/roles";

type MemberInput = { organizationId: string; userId: string; actor?: Actor };

/** Who belongs to an organization. A change waits until the organization's regions know it, 2 s at most. */
export class Members {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Adds a person to an organization, or changes their role; MEMBER when left out. INVALID_INPUT for an id of nobody,
   * CONFLICT when the organization would be left without an owner; an actor needs the role ADMIN, and OWNER to make
   * owners and unmake them.
   *
   * @example
   * await tenantry.members.add({ organizationId, userId, role: "ADMIN" });
   */
  async add({ role = "MEMBER", ...input }: MemberInput & { role?: Role }): Promise<Membership> {
    requireRole(role);
    const { actor, act, ...ids } = readInput(input, "addOrganizationMember");
    const membership = await recordedAct(this.#services, act, () => addMember(this.#services, actor, { ...ids, role }));
    await waitUntilMembersVisible(this.#services, ids.organizationId);
    return membership;
  }

  /** Removes a person from an organization. NOT_FOUND when they are not in it, CONFLICT for its last owner. */
  async remove(input: MemberInput): Promise<void> {
    const { actor, act, ...ids } = readInput(input, "removeOrganizationMember");
    await recordedAct(this.#services, act, () => removeMember(this.#services, actor, ids));
    await waitUntilMembersVisible(this.#services, ids.organizationId);
  }

  /**
   * A page of an organization's members, by user id, which `after` and `before` are too. With `role` only those who have it, with
   * `name` only those whose name begins with that, in upper or lower case. INVALID_INPUT for what is no role, or begins no name.
   *
   * @example
   * const { rows } = await tenantry.members.list({ organizationId, role: "OWNER", last: 10 });
   */
  async list({
    organizationId,
    actor,
    role,
    name,
    ...page
  }: PageInput & { organizationId: string; role?: Role; name?: string; actor?: Actor }): Promise<Page<Membership>> {
    const id = validId("organizationId", organizationId);
    if (role !== undefined) requireRole(role);
    const filter = readMemberFilter({ role, name });
    const request = readPage(page);
    await requireInOrganization(this.#services.home, readActor(actor), id, "read");
    const pages = await listMembers(this.#services, [id], request, filter);
    return pages.get(id) ?? toPage([], request);
  }
}

function requireRole(role: Role): void {
  if (!ROLES.includes(role)) throw invalidInput("role", `role is one of ${ROLES.join(", ")}.`);
}

function readInput(input: MemberInput, action: string) {
  const actor = readActor(input.actor);
  const organizationId = validId("organizationId", input.organizationId);
  const userId = validId("userId", input.userId);
  const what = { subjectKind: "USER", subjectId: userId, organizationId } as const;
  return { actor, organizationId, userId, act: { actor, action, what } };
}
