/** What flows of the app that ships, for tests of links without an installation around them. */
import type { Flows } from "../../src/engine/replication/link.ts";

export const APP_FLOWS: Flows = {
  directory: [
    {
      table: "directory_organizations",
      from: "tenantry.directory_organizations",
      into: "tenantry.directory_organizations",
      key: ["database_id", "organization_id"],
      columns: ["database_id", "organization_id", "name", "created_at"],
    },
    {
      table: "directory_members",
      from: "tenantry.directory_members",
      into: "tenantry.directory_members",
      key: ["database_id", "organization_id", "user_id"],
      columns: ["database_id", "organization_id", "user_id", "role", "joined_at", "name", "email", "user_created_at"],
    },
  ],
  catalog: [
    {
      table: "resources",
      from: "app.resources",
      into: "tenantry_inbox.resources",
      kept: "catalog.resources",
      key: ["database_id", "id"],
      columns: ["database_id", "id", "organization_id", "name", "created_by", "created_at", "updated_at"],
    },
  ],
};
