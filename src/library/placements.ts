import { requireInOrganization } from "#engine/auth/membership";
import { ISOLATIONS, type Isolation, listPlacementsOf, type Placement } from "#engine/home/placements";
import { waitUntilMembersVisible } from "#engine/links/visible-writes";
import { grantRegionAccess } from "#engine/placements/grant-region-access";
import { revokeRegionAccess } from "#engine/placements/revoke-region-access";
import type { Services } from "#engine/services";
import { invalidInput } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { type Actor, readActor } from "#library/actor";
import { recordedAct } from "#library/recorded";

export type { Isolation, Placement, PlacementState } from "#engine/home/placements";

/** What {@link Placements.grant} gives to whom. */
export type GrantInput = {
  organizationId: string;
  regionKey: string;
  /** DEDICATED when left out: a database of its own. SHARED: a place in the region's shared one. */
  isolation?: Isolation;
  actor?: Actor;
};

/** What {@link Placements.revoke} takes away, and how. */
export type RevokeInput = {
  placementId: string;
  /** The organization's name, exactly as it is written, so that nobody revokes the wrong one. */
  confirm: string;
  /** Drop the data now; false when left out: it can be taken back for seven days. */
  skipGrace?: boolean;
  /** Write everything to the export folder before anything is dropped; false when left out. */
  exportFirst?: boolean;
  actor?: Actor;
};

/** Organizations' access to regions: each a tenant database, or a place in one. */
export class Placements {
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** An organization's placements, oldest first. NOT_FOUND for an organization that does not exist or is not the actor's. */
  async list({ organizationId, actor }: { organizationId: string; actor?: Actor }): Promise<Placement[]> {
    const id = validId("organizationId", organizationId);
    await requireInOrganization(this.#services.home, readActor(actor), id, "read");
    return listPlacementsOf(this.#services, [id]);
  }

  /**
   * Gives an organization access to a region. Returns when the placement is ACTIVE, or after 5 s with the state reached; the same
   * placement when called again. INVALID_INPUT for a region that is not registered, CONFLICT where the organization has access
   * with another isolation. A job makes the database: some process of the installation must run with `work`.
   *
   * @example
   * const { state } = await tenantry.grant({ organizationId, regionKey: "eu", isolation: "SHARED" });
   */
  async grant({ regionKey, isolation = "DEDICATED", ...input }: GrantInput): Promise<Placement> {
    if (!ISOLATIONS.includes(isolation))
      throw invalidInput("isolation", `isolation is one of ${ISOLATIONS.join(", ")}.`);
    const actor = readActor(input.actor);
    const organizationId = validId("organizationId", input.organizationId);
    const what = { subjectKind: "PLACEMENT", organizationId } as const;
    const placement = await recordedAct(
      this.#services,
      { actor, action: "grantRegionAccess", what },
      () => grantRegionAccess(this.#services, actor, { organizationId, regionKey, isolation }),
      ({ id }) => ({ subjectId: id, placementId: id }),
    );
    // A database that was there already gets the organization's members by replication.
    if (placement.isolation === "SHARED" && placement.state === "ACTIVE")
      await waitUntilMembersVisible(this.#services, organizationId);
    return placement;
  }

  /**
   * Takes an organization's access to a region away: no reads and writes from now on, and its data goes after seven
   * days, or at once. Returns the placement as it is then: SUSPENDED with `dropAfter`, or REVOKING. NOT_FOUND,
   * INVALID_INPUT for a `confirm` that is not the organization's name.
   *
   * @example
   * await tenantry.revoke({ placementId, confirm: "Acme", exportFirst: true });
   */
  async revoke({ confirm, skipGrace = false, exportFirst = false, ...input }: RevokeInput): Promise<Placement> {
    const actor = readActor(input.actor);
    const placementId = validId("placementId", input.placementId);
    const what = { subjectKind: "PLACEMENT", subjectId: placementId, placementId } as const;
    return recordedAct(this.#services, { actor, action: "revokeRegionAccess", what }, () =>
      revokeRegionAccess(this.#services, actor, { placementId, confirm, skipGrace, exportFirst }),
    );
  }
}
