/** The addresses. Each page is loaded when it is opened; its filters are in the address. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { ACTORS, JOB_STATES, LINK_STATES, PLACEMENT_STATES, ROLES, YES } from "./api/words.ts";
import { Shell } from "./shell/shell.tsx";
import { filters, parseSearch, stringifySearch } from "./shell/search.ts";
import { NotFound } from "./shell/not-found.tsx";
import { Crashed } from "./shell/crashed.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: Crashed });
const page = <const Path extends string>(path: Path) => ({ getParentRoute: () => root, path });

export const overviewRoute = createRoute({
  ...page("/"),
  component: lazyRouteComponent(() => import("./pages/overview/overview.tsx"), "Overview"),
});
export const regionsRoute = createRoute({
  ...page("/regions"),
  validateSearch: filters({ region: "text", register: YES }),
  component: lazyRouteComponent(() => import("./pages/regions/regions.tsx"), "Regions"),
});
export const organizationsRoute = createRoute({
  ...page("/organizations"),
  validateSearch: filters({ search: "text", region: "text" }),
  component: lazyRouteComponent(() => import("./pages/organizations/organizations.tsx"), "Organizations"),
});
export const organizationRoute = createRoute({
  ...page("/organizations/$id"),
  validateSearch: filters({ member: "text", role: ROLES }),
  component: lazyRouteComponent(() => import("./pages/organizations/organization.tsx"), "OrganizationPage"),
});
export const placementsRoute = createRoute({
  ...page("/placements"),
  validateSearch: filters({ region: "text", state: PLACEMENT_STATES, version: "text" }),
  component: lazyRouteComponent(() => import("./pages/placement/placements.tsx"), "Placements"),
});
export const placementRoute = createRoute({
  ...page("/placements/$id"),
  component: lazyRouteComponent(() => import("./pages/placement/placement.tsx"), "PlacementPage"),
});
export const jobsRoute = createRoute({
  ...page("/jobs"),
  validateSearch: filters({
    state: JOB_STATES,
    kind: "text",
    failing: YES,
    region: "text",
    organization: "text",
    job: "text",
  }),
  component: lazyRouteComponent(() => import("./pages/jobs/jobs.tsx"), "Jobs"),
});
export const linksRoute = createRoute({
  ...page("/links"),
  validateSearch: filters({ region: "text", state: LINK_STATES }),
  component: lazyRouteComponent(() => import("./pages/links/links.tsx"), "Links"),
});
export const fleetRoute = createRoute({
  ...page("/fleet"),
  validateSearch: filters({ behind: YES, failed: YES }),
  component: lazyRouteComponent(() => import("./pages/fleet/fleet.tsx"), "Fleet"),
});
export const borderRoute = createRoute({
  ...page("/border"),
  validateSearch: filters({ region: "text", days: "text", show: ["crossed", "refused", "allowed"] }),
  component: lazyRouteComponent(() => import("./pages/border/border.tsx"), "Border"),
});
export const auditLogRoute = createRoute({
  ...page("/audit-log"),
  validateSearch: filters({
    organization: "text",
    action: "text",
    who: ACTORS,
    whoId: "text",
    subject: "text",
    from: "text",
    to: "text",
  }),
  component: lazyRouteComponent(() => import("./pages/audit-log/audit-log.tsx"), "AuditLog"),
});

const routeTree = root.addChildren([
  overviewRoute,
  regionsRoute,
  organizationsRoute,
  organizationRoute,
  placementsRoute,
  placementRoute,
  jobsRoute,
  linksRoute,
  fleetRoute,
  borderRoute,
  auditLogRoute,
]);

export const router = createRouter({
  routeTree,
  basepath: "/console",
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  // Restoring it would put a script into the page.
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
