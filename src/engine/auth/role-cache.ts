/**
 * Who has which role where, remembered for the reading and writing of content: the look at home would be a round trip to
 * another region before every statement. What manages organizations asks home each time (engine/auth/membership.ts).
 */
import type { Actor, KeyActor, UserActor } from "#engine/auth/actor";
import { findActorRoles, findRole } from "#engine/auth/membership";
import { SIGN_IN_CHANNEL } from "#engine/auth/ended-sign-ins";
import type { Role } from "#engine/auth/roles";
import { forAllCallers } from "#engine/auth/sign-in";
import { BoundedMap } from "#base/kernel/bounded-map";
import type { Queryable } from "#base/postgres/database";
import type { Listener } from "#base/postgres/listener";

/**
 * Whoever lost a role loses what it allowed within this time, also where home's word of it is lost; mostly it comes within
 * milliseconds.
 */
const REMEMBERED_MS = 1_000;
const MAX_REMEMBERED = 50_000;

/** Channel on which home says that members lost a role or have another one. */
const ROLE_CHANNEL = "tenantry_roles";

type Remembered = { role: Promise<Role | null>; until: number };

export class RoleCache {
  readonly #home: Queryable<"home">;
  readonly #remembered = new BoundedMap<string, Remembered>(MAX_REMEMBERED);

  constructor(home: Queryable<"home">) {
    this.#home = home;
  }

  async listen(listener: Listener): Promise<void> {
    listener.onHearing(() => this.forget());
    for (const channel of [ROLE_CHANNEL, SIGN_IN_CHANNEL]) await listener.on(channel, () => this.forget());
  }

  /** Forgets everything; for the process that has changed a role itself. */
  forget(): void {
    this.#remembered.clear();
  }

  /**
   * The roles that the caller has in organizations, or had a second ago, with one statement for what is not remembered; null:
   * none. That there is none is asked anew.
   */
  async rolesOf(
    organizationIds: readonly string[],
    actor: UserActor | KeyActor,
  ): Promise<ReadonlyMap<string, Role | null>> {
    const holder = actor.kind === "user" ? `user/${actor.userId}` : actor.keyId;
    const now = performance.now();
    const known = organizationIds.map((id) => this.#find(`${id}/${holder}`, now));
    const unknown = organizationIds.filter((_, index) => known[index] === undefined);
    const asked =
      unknown.length === 0
        ? new Map<string, Role>()
        : forAllCallers(() => findActorRoles(this.#home, unknown, actor)).then(
            (rows) => new Map(rows.map(({ organizationId, role }) => [organizationId, role])),
          );
    const roles = organizationIds.map(
      (id, index) => known[index] ?? this.#remember(`${id}/${holder}`, now, async () => (await asked).get(id) ?? null),
    );
    const found = await Promise.all(roles);
    return new Map(organizationIds.map((id, index) => [id, found[index] ?? null]));
  }

  /** What signing in has just found out about a key. `askedAt`: when home was asked, in milliseconds of `performance.now()`. */
  note(actor: Actor, askedAt: number): void {
    if (actor.kind !== "key") return;
    void this.#keep(`${actor.organizationId}/${actor.keyId}`, Promise.resolve(actor.role), askedAt);
  }

  /** The same for somebody who is named; a key's id names no member. */
  memberRoleOf(organizationId: string, userId: string): Promise<Role | null> {
    return this.#remember(`${organizationId}/user/${userId}`, performance.now(), () =>
      forAllCallers(() => findRole(this.#home, organizationId, userId)),
    );
  }

  #find(key: string, now: number): Promise<Role | null> | undefined {
    const found = this.#remembered.get(key);
    return found !== undefined && found.until > now ? found.role : undefined;
  }

  #remember(key: string, now: number, find: () => Promise<Role | null>): Promise<Role | null> {
    return this.#find(key, now) ?? this.#keep(key, find(), now);
  }

  /** `askedAt`: from before the question, as the answer may be as old as that. */
  #keep(key: string, role: Promise<Role | null>, askedAt: number): Promise<Role | null> {
    const remembered = { role, until: askedAt + REMEMBERED_MS };
    this.#remembered.set(key, remembered);
    const drop = () => {
      if (this.#remembered.get(key) === remembered) this.#remembered.delete(key);
    };
    role.then((found) => {
      if (found === null) drop();
    }, drop);
    return role;
  }
}
