/** Remembers which placements organizations have, so that a handle for each request costs no question to home. */
import { PLACEMENT_CHANNEL } from "#engine/home/placements";
import { Hearsay } from "#base/kernel/hearsay";
import { REGION_CHANNEL } from "#engine/regions/regions";
import { MAX_ROUTE_AGE_MS, SERVED_STATES, type TenantRoute } from "#engine/routing/routing";
import type { Services } from "#engine/services";

/** Organizations kept at most. */
const MAX_REMEMBERED = 10_000;

export class RoutesOfOrganizations {
  readonly #router: Services["router"];
  readonly #remembered = new Hearsay<string, readonly TenantRoute[]>({
    max: MAX_REMEMBERED,
    maxAgeMs: MAX_ROUTE_AGE_MS,
  });

  /** Forgets what it knows when home says that something changed, and when home cannot be heard. */
  static async open({ router, listener }: Pick<Services, "router" | "listener">): Promise<RoutesOfOrganizations> {
    const opened = new RoutesOfOrganizations(router);
    listener.onHearing((isHearing) => opened.#remembered.hear(isHearing));
    for (const channel of [PLACEMENT_CHANNEL, REGION_CHANNEL])
      await listener.on(channel, () => opened.#remembered.forget());
    return opened;
  }

  private constructor(router: Services["router"]) {
    this.#router = router;
  }

  /** The organization's placements by region key. Those that are all served are remembered. */
  async of(organizationId: string): Promise<readonly TenantRoute[]> {
    const found = this.#remembered.get(organizationId);
    if (found !== undefined) return found;
    const asked = this.#remembered.ask();
    const routes = await this.#router.routesOf(organizationId);
    if (routes.length > 0 && routes.every(({ state }) => SERVED_STATES.has(state)))
      this.#remembered.set(organizationId, routes, asked);
    return routes;
  }
}
