/** The gateway's end of a connection to it, up to the moment at which a stream begins: whole messages, one after the other. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { delay } from "#base/kernel/wait";
import { type Message, MessageCutter, ProtocolError } from "#engine/border/protocol/wire";

/** Nothing that a subscriber says before it streams is longer. */
const MAX_MESSAGE_BYTES = 16_384;

/** The other side hung up, or was hung up on. */
export class Closed extends Error {}

export class Client {
  #socket: Socket;
  #cutter = new MessageCutter(MAX_MESSAGE_BYTES, 0);
  #messages: Message[] = [];
  readonly #closed = new AbortController();

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#watch(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** The next message. Throws {@link Closed} when no more will come, and {@link ProtocolError} on bytes that are no message. */
  async next(): Promise<Message> {
    for (;;) {
      // A client that does not read its answers gets no more of them: its next questions wait.
      if (this.#socket.writableNeedDrain) await this.#event("drain");
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      this.#messages.push(...this.#cutter.messages(await this.#chunk()));
    }
  }

  /** Waits, but not for somebody who is gone. Throws {@link Closed}. */
  async pause(ms: number): Promise<void> {
    await delay(ms, this.#closed.signal);
  }

  send(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** From here on messages begin with their type. */
  startSession(): void {
    if (this.#messages.length > 0 || this.#cutter.pending > 0)
      throw new ProtocolError("bytes before they were asked for");
    this.#cutter = new MessageCutter(MAX_MESSAGE_BYTES);
  }

  /** Goes on in TLS. What was sent in the clear before may not count as said inside of it. */
  async secure(context: SecureContext): Promise<void> {
    if (this.#messages.length > 0 || this.#cutter.pending > 0) throw new ProtocolError("bytes before TLS has begun");
    const secured = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    this.#socket = secured;
    this.#watch(secured);
    try {
      await once(secured, "secure", { signal: this.#closed.signal });
    } catch (error) {
      throw new ProtocolError("a TLS handshake that failed", { cause: error });
    }
  }

  /** What was received and not read yet; the socket is the caller's from here on. */
  release(): Buffer {
    const waiting = this.#messages.map(({ type, body }) => {
      const header = Buffer.alloc(5);
      header[0] = type;
      header.writeInt32BE(body.length + 4, 1);
      return Buffer.concat([header, body]);
    });
    this.#messages = [];
    return Buffer.concat([...waiting, this.#cutter.rest()]);
  }

  #watch(socket: Socket): void {
    socket.on("error", () => undefined);
    socket.once("close", () => this.#closed.abort(new Closed("the connection ended")));
  }

  async #chunk(): Promise<Buffer> {
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk !== null) return chunk;
      if (this.#socket.readableEnded || this.#socket.destroyed) throw new Closed("the connection ended");
      await this.#event("readable");
    }
  }

  async #event(name: string): Promise<void> {
    try {
      await once(this.#socket, name, { signal: this.#closed.signal });
    } catch (error) {
      throw new Closed("the connection ended", { cause: error });
    }
  }
}
