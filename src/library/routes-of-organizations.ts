/** Remembers which placements organizations have, so that a handle for each request costs no question to home. */
import { PLACEMENT_CHANNEL } from "#engine/home/placements";
import { REGION_CHANNEL } from "#engine/regions/regions";
import type { TenantRoute } from "#engine/routing/routing";
import type { Services } from "#engine/services";

/** Organizations kept at most. */
const MAX_REMEMBERED = 10_000;

export class RoutesOfOrganizations {
  readonly #router: Services["router"];
  readonly #remembered = new Map<string, readonly TenantRoute[]>();
  /** Counts what was forgotten: what was asked before that is not kept. */
  #generation = 0;

  /** Forgets what it knows when home says that something changed. */
  static async open({ router, listener }: Pick<Services, "router" | "listener">): Promise<RoutesOfOrganizations> {
    const opened = new RoutesOfOrganizations(router);
    for (const channel of [PLACEMENT_CHANNEL, REGION_CHANNEL])
      await listener.on(channel, () => {
        opened.#generation += 1;
        opened.#remembered.clear();
      });
    return opened;
  }

  private constructor(router: Services["router"]) {
    this.#router = router;
  }

  /** The organization's placements by region key. Those that are all ACTIVE are remembered. */
  async of(organizationId: string): Promise<readonly TenantRoute[]> {
    const found = this.#remembered.get(organizationId);
    if (found !== undefined) return found;
    const generation = this.#generation;
    const routes = await this.#router.routesOf(organizationId);
    if (generation === this.#generation && routes.length > 0 && routes.every(({ state }) => state === "ACTIVE")) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(organizationId, routes);
    }
    return routes;
  }
}
