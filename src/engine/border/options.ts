/** What a gateway needs, and what it reports. */
import { isSameAddress } from "#base/postgres/connection-url";
import type { PublishedTable } from "#engine/replication/link";
import type { StreamKind } from "#engine/replication/names";
import type { CertificateFiles } from "#engine/border/certificate";
import type { Crossing } from "#engine/border/ledger/crossings";
import type { BorderLedger } from "#engine/border/ledger/ledger";
import type { StreamBounds } from "#engine/border/protocol/stream";
import type { MovedRows } from "#engine/border/protocol/moved-rows";
import type { ReadTable } from "#engine/border/protocol/pgoutput";
import type { GatewayPublisher } from "#engine/border/publisher";

type LinkedRegion = { readonly id: string; readonly key: string };

/** A link as the gateway knows it. */
export type GatewayLink = {
  readonly name: string;
  readonly databaseId: number;
  readonly direction: StreamKind;
  /** Null: of no region yet; such a link is there to be tried. Of a move, the region that its rows come from. */
  readonly region: LinkedRegion | null;
  /** Of a move: where its rows go to, and what they must be. */
  readonly move?: { readonly to: LinkedRegion; readonly rows: MovedRows };
  readonly password: string;
  /** What the subscriber is told that there is. */
  readonly tables: readonly PublishedTable[];
  /** What may pass: more than that while a migration changes what flows. */
  readonly accepted: readonly ReadTable[];
  /** Undefined: there is nothing to stream. */
  readonly publisher: GatewayPublisher | undefined;
};

/** Whether one of its sides is in this region. */
export function isOfRegion({ region, move }: GatewayLink, regionId: string): boolean {
  return region?.id === regionId || move?.to.id === regionId;
}

export function isSamePublisher(one: GatewayLink["publisher"], other: GatewayLink["publisher"]): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.database === other.database && isSameAddress(one.address, other.address);
}

/** What the gateway tells of what passes it. Called often: nothing here may wait. */
export type GatewayLedger = Pick<BorderLedger, "crossed" | "refused">;

export type GatewayOptions = {
  host: string;
  /** 0: one that is free. */
  port: number;
  /** With it every subscriber must use TLS. */
  certificate?: CertificateFiles | undefined;
  /** The link of this name; undefined when no link of this name takes replication now. */
  findLink: (name: string) => Promise<GatewayLink | undefined>;
  ledger: GatewayLedger;
  /** A stream was ended because of what came in it. */
  onBreach: (link: GatewayLink, sentence: string) => void;
  /** The publisher says that somebody streams from the link's slot already. Nobody else has reason to: it may be a dead connection. */
  onSlotInUse?: (link: GatewayLink) => void;
  /** Hears what goes wrong, without secrets. */
  report: (message: string, error?: unknown) => void;
  limits?: Partial<GatewayLimits>;
  /** Nothing that streams is refused: for tests of what stands behind the gateway. */
  lenient?: boolean;
};

export type GatewayLimits = {
  /** Connections that have not signed in, in total and from one address. */
  maxStrangers: number;
  maxStrangersPerAddress: number;
  /** Connections in total. */
  maxConnections: number;
  /** Connections that have signed in as one link. */
  maxConnectionsPerLink: number;
  /** Connections to the publisher of one link: each takes one of a server's few walsenders. A newer one ends the oldest. */
  maxPublishersPerLink: number;
  /** Streams of home's directory to the links of one region: home's walsenders are for all regions. */
  maxStreamsOfHomePerRegion: number;
  /** From connecting to the beginning of the stream. */
  beginMs: number;
  /** A region's transaction is at its end after so long, and a millisecond more for each row and kilobyte. */
  transactionMs: number;
  /** A subscriber that takes no byte for so long is disconnected. */
  stallMs: number;
  /**
   * A subscriber that says nothing for so long is disconnected; the publisher asks it after half of that. Less would be too
   * little for one that applies what it was sent before: up to 10 MB are on their way at a time.
   */
  silentMs: number;
};

/** By what the ledger counts what passes; undefined: nothing does. */
export function crossingOf({ databaseId, direction, region, move }: GatewayLink): Omit<Crossing, "table"> | undefined {
  if (region === null) return undefined;
  return { databaseId, direction, regionId: region.id, regionKey: region.key, to: move?.to ?? null, way: "stream" };
}

const MB = 1024 * 1024;
/**
 * The listed columns of a flow are small. A move carries every column, and a transaction of its source can be large: an import of a
 * million rows.
 */
const BOUNDS: Record<StreamKind, { mostMs: number; messageBytes: number }> = {
  directory: { mostMs: 900_000, messageBytes: 16 * MB },
  catalog: { mostMs: 900_000, messageBytes: 16 * MB },
  move: { mostMs: 7_200_000, messageBytes: 64 * MB },
};

/** What one stream of the link may take. What home sends is trusted to come to an end. */
export function boundsOf({ direction }: GatewayLink, { stallMs, beginMs, transactionMs }: GatewayLimits): StreamBounds {
  const { mostMs, messageBytes } = BOUNDS[direction];
  const transaction = direction === "directory" ? undefined : { ms: transactionMs, mostMs };
  return { stallMs, beginMs, transaction, messageBytes };
}
