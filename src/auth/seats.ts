/**
 * Who has which role where, remembered for the reading and writing of content: the look at home would be a round trip to
 * another region before every statement. What manages organizations asks home each time (auth/membership.ts).
 */
import type { Actor, KeyActor, UserActor } from "#auth/actor";
import { findActorRole, findRole } from "#auth/membership";
import type { Role } from "#auth/roles";
import type { Queryable } from "#postgres/database";
import type { Listener } from "#postgres/listener";

/**
 * Whoever lost a role loses what it allowed within this time, also where home's word of it is lost; mostly it comes within
 * milliseconds.
 */
const REMEMBERED_MS = 1_000;
const MAX_REMEMBERED = 50_000;

/** Channels on which home says that somebody lost a role or has another one. */
const SEAT_CHANNEL = "tenantry_seats";
const SIGN_IN_CHANNEL = "tenantry_sign_in";

type Remembered = { role: Promise<Role | null>; until: number };

export class Seats {
  readonly #home: Queryable<"home">;
  readonly #remembered = new Map<string, Remembered>();

  constructor(home: Queryable<"home">) {
    this.#home = home;
  }

  async listen(listener: Listener): Promise<void> {
    for (const channel of [SEAT_CHANNEL, SIGN_IN_CHANNEL]) await listener.on(channel, () => this.forget());
  }

  /** Forgets everything; for the process that has changed a role itself. */
  forget(): void {
    this.#remembered.clear();
  }

  /** The role that the caller has in an organization, or had a second ago; null: none. That there is none is asked anew. */
  roleOf(organizationId: string, actor: UserActor | KeyActor): Promise<Role | null> {
    return actor.kind === "user"
      ? this.memberRoleOf(organizationId, actor.userId)
      : this.#remember(`${organizationId}/${actor.keyId}`, () => findActorRole(this.#home, organizationId, actor));
  }

  /** What signing in has just found out about a key. `askedAt`: when home was asked, in milliseconds of `performance.now()`. */
  note(actor: Actor, askedAt: number): void {
    if (actor.kind !== "key") return;
    void this.#keep(`${actor.organizationId}/${actor.keyId}`, Promise.resolve(actor.role), askedAt);
  }

  /** The same for somebody who is named; a key's id names no member. */
  memberRoleOf(organizationId: string, userId: string): Promise<Role | null> {
    return this.#remember(`${organizationId}/user/${userId}`, () => findRole(this.#home, organizationId, userId));
  }

  #remember(key: string, find: () => Promise<Role | null>): Promise<Role | null> {
    const now = performance.now();
    const found = this.#remembered.get(key);
    return found !== undefined && found.until > now ? found.role : this.#keep(key, find(), now);
  }

  /** From before the question, as the answer may be as old as that. */
  #keep(key: string, role: Promise<Role | null>, askedAt: number): Promise<Role | null> {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
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
