/**
 * A link carries one flow between home and a tenant database: a publication and a slot on one side, a
 * subscription on the other, all with the link's name. The publisher's rows are the truth.
 */
import type { ServerAddress } from "#postgres/connection-url";
import type { Database, DatabaseKind } from "#postgres/database";
import { type Direction, linkName } from "#replication/names";

/** A database together with the address at which another server reaches it. */
export type Endpoint = {
  readonly database: Database<DatabaseKind>;
  readonly address: ServerAddress;
  readonly name: string;
};

/** What is published of a table: these columns of the rows of one tenant database. `key` is its primary key. */
export type PublishedTable = {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
};

export type Link = {
  readonly name: string;
  readonly direction: Direction;
  readonly databaseId: number;
  readonly publisher: Endpoint;
  readonly subscriber: Endpoint;
  readonly tables: readonly PublishedTable[];
};

// Columns are listed, so that a column added later stays where it is until a migration publishes it.
const TABLES: Record<Direction, readonly PublishedTable[]> = {
  directory: [
    {
      table: "directory_organizations",
      key: ["database_id", "organization_id"],
      columns: ["database_id", "organization_id", "name", "created_at"],
    },
    {
      table: "directory_members",
      key: ["database_id", "organization_id", "user_id"],
      columns: ["database_id", "organization_id", "user_id", "role", "joined_at", "name", "email", "user_created_at"],
    },
  ],
  catalog: [
    {
      table: "resources",
      key: ["database_id", "id"],
      columns: ["database_id", "id", "organization_id", "name", "created_by", "created_at"],
    },
  ],
};

/** The two links of a tenant database. */
export function linksOf(
  installation: string,
  databaseId: number,
  home: Endpoint,
  tenant: Endpoint,
): Record<Direction, Link> {
  const link = (direction: Direction, publisher: Endpoint, subscriber: Endpoint): Link => ({
    name: linkName(installation, databaseId, direction),
    direction,
    databaseId,
    publisher,
    subscriber,
    tables: TABLES[direction],
  });
  return { directory: link("directory", home, tenant), catalog: link("catalog", tenant, home) };
}
