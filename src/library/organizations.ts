import { createOrganization, getOrganization, listOrganizations, type Organization } from "#engine/home/organizations";
import type { Services } from "#engine/services";
import type { Page } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";
import { type Actor, readActor } from "#library/actor";
import { type PageInput, readPage } from "#library/pages";
import { recordedAct } from "#library/recorded";

export type { Organization } from "#engine/home/organizations";

/** Collections of people. `actor`: see {@link Actor}. */
export class Organizations {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Makes an organization; an actor becomes its OWNER. INVALID_INPUT for a bad name.
   *
   * @example
   * const acme = await tenantry.organizations.create({ name: "Acme", actor: { userId } });
   */
  async create({ name, actor: given }: { name: string; actor?: Actor }): Promise<Organization> {
    const actor = readActor(given);
    const act = { actor, action: "createOrganization", what: { subjectKind: "ORGANIZATION" } } as const;
    return recordedAct(
      this.#services,
      act,
      () => createOrganization(this.#services, actor, { name }),
      ({ id }) => ({ subjectId: id, organizationId: id }),
    );
  }

  /** One organization. NOT_FOUND for none, or for one that the actor does not belong to. */
  async get({ organizationId, actor }: { organizationId: string; actor?: Actor }): Promise<Organization> {
    return getOrganization(this.#services, readActor(actor), validId("organizationId", organizationId));
  }

  /** A page of the actor's organizations, or of all, by id. `after` is the id of the last one before. */
  async list({ actor, ...page }: PageInput & { actor?: Actor } = {}): Promise<Page<Organization>> {
    return listOrganizations(this.#services, readActor(actor), readPage(page));
  }
}
