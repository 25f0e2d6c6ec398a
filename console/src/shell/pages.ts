/** The pages in the order of the navigation. */
export type PageLink = { to: string; name: string; icon: string; forOperators: boolean };

export const PAGES = [
  { to: "/", name: "Overview", icon: "overview", forOperators: true },
  { to: "/regions", name: "Regions", icon: "regions", forOperators: true },
  { to: "/organizations", name: "Organizations", icon: "organizations", forOperators: false },
  { to: "/placements", name: "Placements", icon: "placements", forOperators: false },
  { to: "/jobs", name: "Jobs", icon: "jobs", forOperators: false },
  { to: "/links", name: "Links", icon: "links", forOperators: true },
  { to: "/fleet", name: "Fleet", icon: "fleet", forOperators: true },
  { to: "/border", name: "Border", icon: "border", forOperators: true },
  { to: "/audit-log", name: "Audit log", icon: "audit", forOperators: false },
] as const satisfies readonly PageLink[];
