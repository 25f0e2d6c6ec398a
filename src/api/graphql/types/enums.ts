import { ROLES } from "#engine/auth/policy";
import { ISOLATIONS, PLACEMENT_STATES } from "#engine/home/placements";
import { MINIMUM_ROLE, type OrganizationAction } from "#engine/auth/policy-table";
import { perSchema } from "#api/graphql/builder";

export const Role = perSchema((builder) =>
  builder.enumType("Role", {
    description: "What a member may do: OWNER everything, ADMIN manage members, MEMBER write, VIEWER read.",
    values: ROLES,
  }),
);

/** The actions of the policy table, in the spelling of GraphQL's enums. */
export const Action = perSchema((builder) =>
  builder.enumType("Action", {
    description: "Something that can be done in an organization, from some role on.",
    values: Object.fromEntries(
      Object.entries(MINIMUM_ROLE).map(([action, role]) => [
        action.toUpperCase().replaceAll("-", "_"),
        { value: action as OrganizationAction, description: `From ${role} on.` },
      ]),
    ),
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
