import { apiKeys } from "#api/graphql/types/api-keys";
import { auditLog } from "#api/graphql/types/audit-log";
import { border } from "#api/graphql/types/border";
import { defineDateTime } from "#api/graphql/types/date-time";
import { events } from "#api/graphql/types/events";
import { fleet } from "#api/graphql/types/fleet";
import { invitations } from "#api/graphql/types/invitations";
import { defineModule, type Module } from "#api/graphql/module";
import { jobs } from "#api/graphql/types/jobs";
import { links } from "#api/graphql/types/links";
import { placementMoves } from "#api/graphql/types/moves";
import { nodes } from "#api/graphql/types/nodes";
import { organizationLife } from "#api/graphql/types/organization-life";
import { organizations } from "#api/graphql/types/organizations";
import { overview } from "#api/graphql/types/overview";
import { placementContent } from "#api/graphql/types/placement-content";
import { placements } from "#api/graphql/types/placements";
import { regions } from "#api/graphql/types/regions";
import { replication } from "#api/graphql/types/replication";
import { users } from "#api/graphql/types/users";
import { viewer } from "#api/graphql/types/viewer";

const scalars = defineModule({ name: "scalars", policy: {}, types: [defineDateTime] });

/** What every API has: the directory, regions and access to them, and what the operator looks at. */
export const ENGINE_MODULES: readonly Module[] = [
  scalars,
  nodes,
  users,
  viewer,
  organizations,
  organizationLife,
  invitations,
  apiKeys,
  regions,
  placements,
  placementContent,
  placementMoves,
  jobs,
  replication,
  links,
  fleet,
  overview,
  border,
  auditLog,
  events,
];
