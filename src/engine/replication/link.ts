/**
 * A link carries one flow between home and a tenant database: a publication and a slot on one side, a
 * subscription on the other, all with the link's name. The publisher's rows are the truth.
 */
import type { Database, DatabaseKind } from "#base/postgres/database";
import { type Direction, inboxRoleName, linkName } from "#engine/replication/names";

/** One side of a link. */
export type Endpoint = { readonly database: Database<DatabaseKind> };

/** What a subscriber is told of the gateway: how it is reached, and the link's own credential. */
export type Told = {
  /** libpq's connection string. It holds the link's password, which is good for this stream only. */
  readonly connection: string;
  /** Says whether the subscription was told the same: an opaque text without a secret. */
  readonly mark: string;
};

/**
 * What is published of a table of schema `tenantry`: these columns of the rows of one tenant database. `key` is its primary
 * key. `into` is the table that takes it in, with its schema: a catalog's goes into the inbox, where home's guard looks at it.
 */
export type PublishedTable = {
  readonly table: string;
  readonly into: string;
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
  readonly told: Told;
  /** The mark of what the subscription was told when it was last written, as far as home knows. */
  readonly toldBefore: string | null;
  /** The role that owns the subscription, where it is not the one that makes it. */
  readonly owner: string | undefined;
  readonly ledger: LinkLedger;
};

/** What a link tells of what it does. Nothing here waits. */
export type LinkLedger = {
  /** These rows of a table were read for a copy. */
  seeded: (table: string, rows: number, bytes: number) => void;
  /** The subscription took other tables than the link lists, and was not enabled. */
  wrongTables: () => void;
};

export type Flows = Readonly<Record<Direction, readonly PublishedTable[]>>;

/**
 * What flows at tenant schema version 1. Columns are listed, so that one added later stays where it is until a migration
 * says that it flows ({@link flowsAfter}).
 */
export const FIRST_FLOWS: Flows = {
  directory: [
    {
      table: "directory_organizations",
      into: "tenantry.directory_organizations",
      key: ["database_id", "organization_id"],
      columns: ["database_id", "organization_id", "name", "created_at"],
    },
    {
      table: "directory_members",
      into: "tenantry.directory_members",
      key: ["database_id", "organization_id", "user_id"],
      columns: ["database_id", "organization_id", "user_id", "role", "joined_at", "name", "email", "user_created_at"],
    },
  ],
  catalog: [
    {
      table: "resources",
      into: "tenantry_inbox.resources",
      key: ["database_id", "id"],
      columns: ["database_id", "id", "organization_id", "name", "created_by", "created_at"],
    },
  ],
};

type Change = { change: "add" | "remove"; direction: Direction; table: string; column: string };

/** What flows after these changes, in their order. Throws when one cannot be: that is a mistake in a migration. */
export function flowsAfter(changes: readonly Change[], first: Flows = FIRST_FLOWS): Flows {
  const flows = { ...first };
  for (const { change, direction, table, column } of changes) {
    const found = flows[direction].find((published) => published.table === table);
    const has = found?.columns.includes(column) === true;
    if (found === undefined || has === (change === "add") || found.key.includes(column))
      throw new Error(`a migration cannot ${change} ${direction} ${table}.${column}: see what flows at that version`);
    const columns = change === "add" ? [...found.columns, column] : found.columns.filter((one) => one !== column);
    flows[direction] = flows[direction].map((published) => (published === found ? { ...found, columns } : published));
  }
  return flows;
}

/** What flows in both: what may be published while a database is on its way from one version to another. */
export function flowsInBoth(one: Flows, other: Flows): Flows {
  const both = (direction: Direction) =>
    one[direction].map((published) => {
      const columns = other[direction].find(({ table }) => table === published.table)?.columns ?? [];
      return { ...published, columns: published.columns.filter((column) => columns.includes(column)) };
    });
  return { directory: both("directory"), catalog: both("catalog") };
}

/** What flows in either: what may still arrive while a database is on its way from one version to another. */
export function flowsInEither(one: Flows, other: Flows): Flows {
  const either = (direction: Direction) =>
    one[direction].map((published) => {
      const more = other[direction].find(({ table }) => table === published.table)?.columns ?? [];
      return { ...published, columns: [...new Set([...published.columns, ...more])] };
    });
  return { directory: either("directory"), catalog: either("catalog") };
}

/** What the two links of a tenant database are made of. */
export type LinkParts = {
  databaseId: number;
  home: Endpoint;
  tenant: Endpoint;
  flows: Flows;
  /** What the subscriber of each is told, and was told before. */
  told: Record<Direction, { now: Told; before: string | null }>;
  ledgerOf: (direction: Direction) => LinkLedger;
};

/** The two links of a tenant database. */
export function linksOf(installation: string, parts: LinkParts): Record<Direction, Link> {
  const link = (direction: Direction, publisher: Endpoint, subscriber: Endpoint): Link => ({
    name: linkName(installation, parts.databaseId, direction),
    direction,
    databaseId: parts.databaseId,
    publisher,
    subscriber,
    tables: parts.flows[direction],
    told: parts.told[direction].now,
    toldBefore: parts.told[direction].before,
    // A role that may write nothing else writes at home what a region sends.
    owner: direction === "catalog" ? inboxRoleName(installation) : undefined,
    ledger: parts.ledgerOf(direction),
  });
  const { home, tenant } = parts;
  return { directory: link("directory", home, tenant), catalog: link("catalog", tenant, home) };
}
