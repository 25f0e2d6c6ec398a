/** What a gateway needs, and what it reports. */
import { isSameAddress } from "#base/postgres/connection-url";
import type { PublishedTable } from "#engine/replication/link";
import type { Direction } from "#engine/replication/names";
import type { CertificateFiles } from "#engine/border/certificate";
import type { BorderLedger } from "#engine/border/ledger/ledger";
import type { GatewayPublisher } from "#engine/border/publisher";

/** A link as the gateway knows it. */
export type GatewayLink = {
  readonly name: string;
  readonly databaseId: number;
  readonly direction: Direction;
  /** Null: of no region yet; such a link is there to be tried. */
  readonly region: { readonly id: string; readonly key: string } | null;
  readonly password: string;
  /** What the subscriber is told that there is. */
  readonly tables: readonly PublishedTable[];
  /** What may pass: more than that while a migration changes what flows. */
  readonly accepted: readonly PublishedTable[];
  /** Undefined: there is nothing to stream. */
  readonly publisher: GatewayPublisher | undefined;
};

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
  /** A region's transaction is at its end after so long, and a millisecond more for each row. */
  transactionMs: number;
  /** A subscriber that takes no byte for so long is disconnected. */
  stallMs: number;
  /**
   * A subscriber that says nothing for so long is disconnected; the publisher asks it after half of that. Less would be too
   * little for one that applies what it was sent before: up to 10 MB are on their way at a time.
   */
  silentMs: number;
};
