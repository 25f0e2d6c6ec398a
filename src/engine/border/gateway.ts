/**
 * The gateway: all replication between home and the regions passes it, so that no server signs in to another one. A
 * subscriber signs in with its link's own credential, which is good for one stream: the gateway answers what a subscriber
 * asks, opens the connection to the publisher itself, and reads the stream on its way.
 *
 * Neither side is trusted. Everything here has a bound and a deadline. Of what a subscriber writes, a publisher gets a
 * position in its WAL and nothing else. Of what a publisher says, a subscriber gets the rows that the link lists.
 */
import { createServer, type Server, type Socket } from "node:net";
import { Semaphore } from "#base/kernel/semaphore";
import { Certificate } from "#engine/border/certificate";
import type { GatewayLimits, GatewayOptions } from "#engine/border/options";
import { Peers } from "#engine/border/peers";
import { PerLink, SignInRate } from "#engine/border/per-link";
import { Session } from "#engine/border/session";

const DEFAULT_LIMITS: GatewayLimits = {
  maxStrangers: 256,
  maxStrangersPerAddress: 64,
  maxConnections: 2_000,
  maxConnectionsPerLink: 16,
  maxPublishersPerLink: 2,
  maxStreamsOfHomePerRegion: 48,
  beginMs: 30_000,
  transactionMs: 60_000,
  stallMs: 60_000,
  silentMs: 20_000,
};

/** How many links are looked up at home at once: subscribers that have not signed in must not take home's connections. */
const MAX_LOOKUPS = 8;

export class Gateway {
  readonly #server: Server;
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #sessions = new Set<Session>();
  readonly #peers: Peers;
  readonly #perLink: { connections: PerLink; publishers: PerLink };
  readonly #perRegion: PerLink;
  /** Sessions that sign in meanwhile look again. */
  #rechecks = 0;
  readonly #ends: (() => void)[] = [];
  readonly #rate = new SignInRate();
  readonly #lookups = new Semaphore(MAX_LOOKUPS);

  private constructor(server: Server, options: GatewayOptions) {
    this.#server = server;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#peers = new Peers(this.#limits);
    const { maxConnectionsPerLink, maxPublishersPerLink } = this.#limits;
    this.#perLink = { connections: new PerLink(maxConnectionsPerLink), publishers: new PerLink(maxPublishersPerLink) };
    this.#perRegion = new PerLink(this.#limits.maxStreamsOfHomePerRegion);
  }

  /** Starts listening. Rejects when the port is taken or the certificate cannot be read. */
  static async listen(options: GatewayOptions): Promise<Gateway> {
    const certificate = options.certificate && (await Certificate.load(options.certificate));
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS });
    const gateway = new Gateway(server, options);
    server.on("connection", (socket) => gateway.#admit(socket, certificate));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port, options.host, () => {
        server.off("error", reject);
        server.on("error", (error) => options.report("the gateway could not take a connection", error));
        resolve();
      });
    });
    return gateway;
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#options.port;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sessions.size;
  }

  /**
   * Ends sessions whose password is no longer valid or whose link is gone: of one region, or of all.
   * Never rejects.
   */
  async recheck(regionId?: string): Promise<void> {
    this.#rechecks += 1;
    await Promise.all([...this.#sessions].map((session) => session.recheck(regionId)));
  }

  /** Has this called when the gateway is closed. */
  onClose(end: () => void): void {
    this.#ends.push(end);
  }

  /** Takes no more connections, and ends those that are open. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0)) end();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.end();
    await closed;
  }

  #admit(socket: Socket, certificate: Certificate | undefined): void {
    const address = plainAddress(socket.remoteAddress);
    if (this.#sessions.size >= this.#limits.maxConnections) {
      socket.on("error", () => undefined);
      socket.destroy();
      this.#noteTooMany(address, "Too many connections were open.");
      return;
    }
    const { findLink, ...options } = this.#options;
    const session: Session = new Session(socket, address, certificate, {
      ...options,
      peers: this.#peers,
      perLink: this.#perLink,
      perRegion: this.#perRegion,
      rate: this.#rate,
      rechecks: () => this.#rechecks,
      limits: this.#limits,
      // Those that had to go while they waited for a permit need no answer: home is not asked for them.
      findLink: (name) => this.#lookups.withPermit(async () => (session.isOver ? undefined : findLink(name))),
    });
    const full = this.#peers.admit(address, session);
    if (full !== undefined) this.#noteTooMany(full, "Too many connections that had not signed in were open.");
    this.#sessions.add(session);
    void session.run().finally(() => this.#sessions.delete(session));
  }

  #noteTooMany(address: string, sentence: string): void {
    this.#options.ledger.refused({ address, code: "too-many", sentence });
  }
}

const KEEP_ALIVE_AFTER_MS = 10_000;

/** Without the prefix of an IPv4 address that came in by IPv6. */
function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:/, "");
}
