import { createUser, getUser, type User } from "#engine/home/users";
import type { Services } from "#engine/services";
import { validId } from "#base/kernel/validation";
import { type Actor, readActor } from "#library/actor";
import { recordedAct } from "#library/recorded";

export type { User } from "#engine/home/users";

/** People, who live at home. `actor`: see {@link Actor}. */
export class Users {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Adds a person; for the team only. INVALID_INPUT for a bad name or address, CONFLICT when the address is taken. */
  async create({ name, email, actor: given }: { name: string; email: string; actor?: Actor }): Promise<User> {
    const actor = readActor(given);
    const act = { actor, action: "createUser", what: { subjectKind: "USER" } } as const;
    return recordedAct(
      this.#services,
      act,
      () => createUser(this.#services, actor, { name, email }),
      ({ id }) => ({ subjectId: id }),
    );
  }

  /** One person. NOT_FOUND for nobody, or for somebody whom the actor shares no organization with. */
  async get({ userId, actor }: { userId: string; actor?: Actor }): Promise<User> {
    return getUser(this.#services, readActor(actor), validId("userId", userId));
  }
}
