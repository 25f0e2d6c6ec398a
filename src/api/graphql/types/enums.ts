import { ROLES } from "#engine/auth/policy";
import { ISOLATIONS, PLACEMENT_STATES } from "#engine/home/placements";
import { perSchema } from "#api/graphql/builder";

export const Role = perSchema((builder) =>
  builder.enumType("Role", {
    description: "What a member may do: OWNER everything, ADMIN manage members, MEMBER write, VIEWER read.",
    values: ROLES,
  }),
);

export const Isolation = perSchema((builder) =>
  builder.enumType("Isolation", {
    description: "DEDICATED: a database of its own. SHARED: rows in the region's shared database.",
    values: ISOLATIONS,
  }),
);

export const PlacementState = perSchema((builder) =>
  builder.enumType("PlacementState", {
    description: "Where a placement is in its life. Only an ACTIVE one takes reads and writes.",
    values: PLACEMENT_STATES,
  }),
);
