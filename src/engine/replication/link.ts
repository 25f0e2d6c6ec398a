/**
 * A link carries one flow between home and a tenant database: a publication and a slot on one side, a
 * subscription on the other, all with the link's name. The publisher's rows are the truth.
 */
import type { Database, DatabaseKind } from "#base/postgres/database";
import { type Direction, inboxRoleName, linkName, type StreamKind } from "#engine/replication/names";

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
 * What is published of a table: these columns of the rows of one tenant database. `key` names a row. `table` is its name,
 * `from` the same with its schema at the publisher. `into` is the table that takes it in, with its schema: a catalog's goes into
 * the inbox, where home's guard looks at it, and `kept` is where the guard puts it.
 */
export type PublishedTable = {
  readonly table: string;
  readonly from: string;
  readonly into: string;
  readonly kept?: string;
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

/** The side that publishes, whatever the stream carries. */
export type Publishing = Pick<Link, "name" | "publisher">;

/** The side that subscribes, whatever the stream carries. */
export type Subscribing = Pick<Link, "name" | "subscriber" | "told" | "owner"> & {
  readonly direction: StreamKind;
  readonly tables: readonly Pick<PublishedTable, "into">[];
  readonly ledger: Pick<LinkLedger, "wrongTables">;
};

/** What a link tells of what it does. Nothing here waits. */
export type LinkLedger = {
  /** These rows of a table were read for a copy. */
  seeded: (table: string, rows: number, bytes: number) => void;
  /** The subscription took other tables than the link lists, and was not enabled. */
  wrongTables: () => void;
};

export type Flows = Readonly<Record<Direction, readonly PublishedTable[]>>;

/** What flows in both: what may be published while a database is on its way from one version to another. */
export function flowsInBoth(one: Flows, other: Flows): Flows {
  const both = (direction: Direction) =>
    one[direction].flatMap((published) => {
      const columns = other[direction].find(({ from }) => from === published.from)?.columns;
      if (columns === undefined) return [];
      return [{ ...published, columns: published.columns.filter((column) => columns.includes(column)) }];
    });
  return { directory: both("directory"), catalog: both("catalog") };
}

/** What flows in either: what may still arrive while a database is on its way from one version to another. */
export function flowsInEither(one: Flows, other: Flows): Flows {
  const either = (direction: Direction) => {
    const mine = one[direction].map((published) => {
      const more = other[direction].find(({ from }) => from === published.from)?.columns ?? [];
      return { ...published, columns: [...new Set([...published.columns, ...more])] };
    });
    return [...mine, ...other[direction].filter(({ from }) => !mine.some((published) => published.from === from))];
  };
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
