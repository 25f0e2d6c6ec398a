/** One connection to the gateway, from its first byte to its end. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { SQL_STATE } from "#base/postgres/sql-state";
import { Client, Closed } from "#engine/border/protocol/client";
import type { Certificate } from "#engine/border/certificate";
import { readCommand, REPORTED_VERSION, startCommand, type StreamOptions } from "#engine/border/protocol/commands";
import {
  boundsOf,
  crossingOf,
  type GatewayLimits,
  type GatewayLink,
  type GatewayOptions,
  isOfRegion,
  isSamePublisher,
} from "#engine/border/options";
import { type GatewayPublisher, openPublisher } from "#engine/border/publisher";
import type { RefusalCode } from "#engine/border/ledger/refusals";
import { Refused, tooMany, Unavailable, unknownUser, wrongPassword } from "#engine/border/ledger/refused";
import type { Peers } from "#engine/border/peers";
import type { PerLink, SignInRate } from "#engine/border/per-link";
import { StreamReader } from "#engine/border/protocol/pgoutput";
import { readInitialResponse, ScramExchange } from "#engine/border/protocol/scram";
import { carryStream, type StreamEnd } from "#engine/border/protocol/stream";
import {
  AUTHENTICATED,
  charCode,
  cString,
  errorResponse,
  int32,
  message,
  parameterStatus,
  ProtocolError,
  readParameters,
  readyForQuery,
  START_UP,
} from "#engine/border/protocol/wire";

export type SessionOptions = Omit<GatewayOptions, "limits"> & {
  peers: Peers;
  perLink: Record<"connections" | "publishers", PerLink>;
  perRegion: PerLink;
  rate: SignInRate;
  /** How often the gateway was told to look again at who is signed in. */
  rechecks: () => number;
  limits: GatewayLimits;
};

type StartUp = { user: string; encoding: string };

export class Session {
  readonly #client: Client;
  readonly #address: string;
  readonly #certificate: Certificate | undefined;
  readonly #options: SessionOptions;
  #isStranger = true;
  #user: string | undefined;
  #link: GatewayLink | undefined;
  #publisher: Promise<Socket> | undefined;
  /** The region among whose streams from home it is. */
  #region: string | undefined;
  /** What its connections are counted by, once it has signed in. */
  #countedBy: string | undefined;

  constructor(socket: Socket, address: string, certificate: Certificate | undefined, options: SessionOptions) {
    this.#client = new Client(socket);
    this.#address = address;
    this.#certificate = certificate;
    this.#options = options;
  }

  /** Never rejects. */
  async run(): Promise<void> {
    const deadline = setTimeout(() => this.end(), this.#options.limits.beginMs);
    try {
      const { encoding } = await this.#signIn();
      const stream = await this.#converse(encoding);
      clearTimeout(deadline);
      // Texts in another encoding are converted at the publisher, and looked at by nothing but the subscriber.
      if (stream !== undefined) await this.#stream(stream, /^utf-?8$/i.test(encoding));
    } catch (error) {
      await this.#fail(error);
    } finally {
      clearTimeout(deadline);
      this.#known();
      this.#client.socket.destroySoon();
      this.#leaveLink();
    }
  }

  end(): void {
    this.#client.socket.destroy();
  }

  /** Whether nobody is there any more. */
  get isOver(): boolean {
    return this.#client.socket.destroyed;
  }

  /**
   * Ends it when its link is no more, signs in with another password now, or is published at another address: the way to the
   * one before may be dead. Where that cannot be looked up, it goes on.
   */
  async recheck(regionId: string | undefined): Promise<void> {
    const link = this.#link;
    if (link === undefined || (regionId !== undefined && !isOfRegion(link, regionId))) return;
    const now = await this.#options.findLink(link.name).catch(() => link);
    if (now?.password !== link.password || !isSamePublisher(now.publisher, link.publisher)) this.end();
  }

  /** From here on it does not count among the connections that have not signed in. */
  #known(): void {
    if (this.#isStranger) this.#options.peers.leave(this.#address, this);
    this.#isStranger = false;
  }

  /** A publisher that is slow to connect counts until it has. */
  #leaveLink(): void {
    const { connections, publishers } = this.#options.perLink;
    const countedBy = this.#countedBy;
    if (countedBy === undefined) return;
    connections.leave(countedBy, this);
    const region = this.#region;
    void Promise.resolve(this.#publisher)
      .then(
        (socket) => socket?.destroy(),
        () => undefined,
      )
      .then(() => {
        publishers.leave(countedBy, this);
        if (region !== undefined) this.#options.perRegion.leave(region, this);
      });
  }

  async #signIn(): Promise<StartUp> {
    const start = await this.#startUp();
    this.#user = start.user.slice(0, 100);
    const rechecks = this.#options.rechecks();
    const found = await this.#findLink(start.user);
    // Links that stream nothing are there to be tried, by servers that share their name.
    const countedBy = found?.publisher === undefined ? `${found?.name} ${this.#address}` : found.name;
    const { rate } = this.#options;
    const waitMs = found === undefined ? 0 : rate.waitMs(countedBy);
    if (waitMs > 0) await this.#client.pause(waitMs);
    if (this.isOver) throw new Closed("the connection ended");
    const link = await this.#authenticate(found);
    this.#known();
    rate.count(countedBy);
    if (!this.#options.perLink.connections.enter(countedBy, this)) throw tooMany();
    this.#countedBy = countedBy;
    this.#link = link;
    // Meanwhile the password may have changed, or the link may be gone.
    if (this.#options.rechecks() !== rechecks) await this.recheck(undefined);
    if (this.isOver) throw new Closed("the connection ended");
    this.#greet(start.encoding);
    return start;
  }

  /** Reads the start-up message, and goes on in TLS where it is asked for. */
  async #startUp(): Promise<StartUp> {
    let isSecure = false;
    const asked = new Set<number>();
    for (;;) {
      const { body } = await this.#client.next();
      const code = body.length >= 4 ? body.readInt32BE(0) : 0;
      if (asked.has(code)) throw new ProtocolError("the same question twice");
      asked.add(code);
      if (code === START_UP.cancelRequest) throw new Closed("nothing here can be cancelled");
      if (
        code === START_UP.gssEncRequest ||
        (code === START_UP.sslRequest && (isSecure || this.#certificate === undefined))
      ) {
        this.#client.send(Buffer.from("N"));
        continue;
      }
      if (code === START_UP.sslRequest && this.#certificate !== undefined) {
        const context = await this.#certificate.context();
        this.#client.send(Buffer.from("S"));
        await this.#client.secure(context);
        isSecure = true;
        continue;
      }
      if (code >>> 16 !== START_UP.protocol3) throw new ProtocolError("another protocol");
      this.#client.startSession();
      if (this.#certificate !== undefined && !isSecure)
        throw new Refused("not-allowed-command", "28000", "Tenantry's gateway takes TLS connections only.");
      return this.#readStartUp(body.subarray(4), code & 0xffff);
    }
  }

  #readStartUp(body: Buffer, minorVersion: number): StartUp {
    const parameters = readParameters(body);
    const extensions = [...parameters.keys()].filter((name) => name.startsWith("_pq_."));
    // It asked for a newer protocol, or for extensions of it: it goes on with 3.0 and without them.
    if (minorVersion > 0 || extensions.length > 0)
      this.#client.send(message("v", int32(0), int32(extensions.length), ...extensions));
    if (parameters.get("replication") !== "database")
      throw new Refused(
        "not-allowed-command",
        "28000",
        "Tenantry's gateway carries logical replication and nothing else.",
      );
    const encoding = parameters.get("client_encoding") ?? "UTF8";
    if (!/^[\w-]{1,20}$/.test(encoding)) throw new ProtocolError("an encoding that cannot be one");
    return { user: parameters.get("user") ?? "", encoding };
  }

  async #findLink(user: string): Promise<GatewayLink | undefined> {
    try {
      return await this.#options.findLink(user);
    } catch (error) {
      throw new Unavailable("a link could not be looked up at home", { cause: error });
    }
  }

  /** The exchange is the same for an unknown name, so that nobody finds out by it which names there are. */
  async #authenticate(link: GatewayLink | undefined): Promise<GatewayLink> {
    const password = link?.password ?? randomBytes(32).toString("base64url");
    const exchange = new ScramExchange();
    this.#client.send(message("R", int32(10), Buffer.concat([cString("SCRAM-SHA-256"), Buffer.from([0])])));
    const answer = exchange.begin(readInitialResponse(await this.#password()));
    if (answer === undefined) throw new ProtocolError("a sign-in that cannot be read");
    this.#client.send(message("R", int32(11), Buffer.from(answer)));
    const outcome = exchange.finish((await this.#password()).toString("latin1"), password);
    if (outcome === undefined) throw new ProtocolError("a sign-in that cannot be read");
    if (link === undefined) throw unknownUser();
    if (!outcome.isProved) throw wrongPassword();
    this.#client.send(message("R", int32(12), Buffer.from(outcome.answer)));
    return link;
  }

  async #password(): Promise<Buffer> {
    const { type, body } = await this.#client.next();
    if (type !== charCode("p")) throw new ProtocolError("something else than a password");
    return body;
  }

  #greet(encoding: string): void {
    const settings = {
      server_version: REPORTED_VERSION,
      server_encoding: "UTF8",
      client_encoding: encoding,
      DateStyle: "ISO, MDY",
      IntervalStyle: "postgres",
      integer_datetimes: "on",
      standard_conforming_strings: "on",
    };
    this.#client.send(
      Buffer.concat([
        AUTHENTICATED,
        ...Object.entries(settings).map(([name, value]) => parameterStatus(name, value)),
        message("K", int32(0), int32(0)),
        readyForQuery(),
      ]),
    );
  }

  /** Answers what a subscriber asks until it wants the stream; undefined when it only asked. */
  async #converse(encoding: string): Promise<{ options: StreamOptions; publisher: Promise<Socket> } | undefined> {
    const link = this.#link;
    if (link === undefined) return undefined;
    for (;;) {
      const { type, body } = await this.#client.next();
      if (type === charCode("X")) return undefined;
      if (type !== charCode("Q")) throw this.#notAllowed("a message that this credential is not good for");
      const text = body.toString("utf8").replace(/\0$/, "");
      const command = readCommand(text, link);
      if (command.kind === "refused") throw this.#notAllowed(command.reason);
      // The stream comes next. Connecting takes a while, so it begins now.
      const isAboutToStream = command.kind === "stream" || text.startsWith("IDENTIFY_SYSTEM");
      if (isAboutToStream && link.publisher !== undefined) await this.#connect(link.publisher, encoding);
      if (command.kind === "answer") {
        this.#client.send(Buffer.concat([command.reply, readyForQuery()]));
        continue;
      }
      if (this.#publisher === undefined) throw this.#notAllowed("a stream of a link that has none");
      return { options: command.options, publisher: this.#publisher };
    }
  }

  async #connect(from: GatewayPublisher, encoding: string): Promise<void> {
    if (this.#publisher !== undefined || this.#countedBy === undefined) return;
    this.#options.perLink.publishers.enterInPlaceOfOldest(this.#countedBy, this);
    await this.#waitForRegion();
    this.#publisher = openPublisher(from, { encoding, silentMs: this.#options.limits.silentMs });
    this.#publisher.catch(() => undefined);
  }

  /**
   * Home's walsenders are shared: the links of one region leave some to the others. They wait for each other: one may be about to
   * end. The deadline for beginning ends the wait.
   */
  async #waitForRegion(): Promise<void> {
    const { direction, region } = this.#link ?? {};
    if (direction !== "directory" || region == null) return;
    for (let looks = 1; !this.#options.perRegion.enter(region.id, this); looks += 1) {
      if (looks === REGION_LOOKS_UNTOLD)
        await this.#reportSometimes(
          `links of the region ${region.key} wait: they have all the walsenders of home that one region can have`,
        );
      await this.#client.pause(REGION_LOOK_MS);
    }
    this.#region = region.id;
  }

  #notAllowed(reason: string): Refused {
    const answer = `Tenantry's gateway refuses ${reason}.`;
    return new Refused("not-allowed-command", "42501", answer, `The subscriber asked for ${reason}.`);
  }

  async #stream(
    { options, publisher }: { options: StreamOptions; publisher: Promise<Socket> },
    checksText: boolean,
  ): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    const source = await publisher.catch((error: unknown) => {
      throw new Unavailable("the publisher of a link cannot be reached", { cause: error });
    });
    const { ledger, limits, lenient = false } = this.#options;
    const isFromRegion = link.direction !== "directory";
    // A region sends a transaction only after its commit, even when the subscriber accepts unfinished ones.
    const asked = { ...options, streaming: options.streaming && !isFromRegion };
    const moved = link.move?.rows;
    const reader = new StreamReader(link.accepted, { checksText, takesStreams: asked.streaming, moved, lenient });
    const crossing = crossingOf(link);
    const passed = () => {
      if (crossing === undefined) return;
      for (const { table, rows, bytes } of reader.takePassed()) ledger.crossed({ ...crossing, table }, rows, bytes);
    };
    const sides = {
      subscriber: this.#client.socket,
      early: this.#client.release(),
      publisher: source,
      command: startCommand(link.name, asked),
    };
    await this.#conclude(link, await carryStream(sides, reader, { passed, ...boundsOf(link, limits) }));
  }

  async #conclude(link: GatewayLink, end: StreamEnd): Promise<void> {
    if (end.kind === "breach") {
      const { code, message: reason } = end.breach;
      const sentence = `The gateway ended the stream: ${reason}.`;
      this.#note(code, sentence);
      this.#options.onBreach(link, sentence);
    } else if (end.kind === "not-allowed")
      this.#note("not-allowed-command", "The subscriber sent something else than its progress into a stream.");
    else if (end.kind === "failed") this.#options.report(`${link.name}: a stream failed`, end.error);
    else if (end.kind === "publisher-failed") {
      if (end.sqlState === SQL_STATE.objectInUse) this.#options.onSlotInUse?.(link);
      await this.#reportSometimes(`${link.name}: the publisher refused the stream (SQLSTATE ${end.sqlState})`);
    }
  }

  /** A subscriber that comes again and again fills no log: beyond a few times a minute it waits instead. */
  async #reportSometimes(text: string, cause?: unknown): Promise<void> {
    const pauseMs = this.#options.peers.refused(this.#address);
    if (pauseMs > 0) await this.#client.pause(pauseMs).catch(() => undefined);
    else this.#options.report(text, cause);
  }

  #note(code: RefusalCode, sentence: string): void {
    const { databaseId, direction } = this.#link ?? {};
    this.#options.ledger.refused({ address: this.#address, databaseId, direction, user: this.#user, code, sentence });
  }

  async #fail(reason: unknown): Promise<void> {
    if (reason instanceof Closed) return;
    if (reason instanceof Unavailable) {
      await this.#reportSometimes(reason.message, reason.cause);
      this.#client.send(errorResponse("57P03", `Tenantry's gateway: ${reason.message}.`));
      return;
    }
    if (!(reason instanceof Refused) && !(reason instanceof ProtocolError)) {
      this.#options.report("a connection to the gateway failed", reason);
      return;
    }
    const pauseMs = this.#options.peers.refused(this.#address);
    const isRefused = reason instanceof Refused;
    this.#note(
      isRefused ? reason.code : "malformed",
      isRefused ? reason.message : `What was sent is not what a subscriber says: ${reason.message}.`,
    );
    if (pauseMs > 0) await this.#client.pause(pauseMs).catch(() => undefined);
    const [state, answer] = isRefused
      ? [reason.sqlState, reason.answer]
      : ["08P01", "Tenantry's gateway: not a subscriber's message."];
    this.#client.send(errorResponse(state, answer));
  }
}

/** How often a stream that waits for its region's others looks again, and after how many looks that is told. */
const REGION_LOOK_MS = 100;
const REGION_LOOKS_UNTOLD = 50;
