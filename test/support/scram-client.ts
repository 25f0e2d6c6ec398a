/** A PostgreSQL client by hand, for what no library would say. Signs in with SCRAM-SHA-256. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { cString, int32, message, MessageCutter, type Message } from "../../src/engine/border/protocol/wire.ts";

export class ScramClient {
  readonly #socket: Socket;
  readonly #user: string;
  readonly #password: string;
  readonly #cutter = new MessageCutter(64 * 1024 * 1024);
  readonly #waiting: Message[] = [];

  constructor(socket: Socket, user: string, password: string) {
    this.#socket = socket;
    this.#user = user;
    this.#password = password;
    socket.on("error", () => undefined);
  }

  /** Returns what was said to the proof of the password, type letters in front. */
  async signIn(parameters: Record<string, string>): Promise<string> {
    const pairs = Object.entries({ user: this.#user, database: "tenantry", ...parameters }).flat();
    const body = Buffer.concat([int32(196_608), ...pairs.map(cString), Buffer.from([0])]);
    this.#socket.write(Buffer.concat([int32(body.length + 4), body]));
    await this.#expect("R");
    const nonce = randomBytes(12).toString("base64");
    const first = `n=,r=${nonce}`;
    const initial = Buffer.from(`n,,${first}`);
    this.#socket.write(message("p", cString("SCRAM-SHA-256"), int32(initial.length), initial));
    const challenge = (await this.#expect("R")).subarray(4).toString();
    const [, serverNonce = "", salt = "", rounds = "1"] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(challenge) ?? [];
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, "base64"), Number(rounds), 32, "sha256");
    const sign = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
    const final = `c=biws,r=${serverNonce}`;
    const clientKey = sign(salted, "Client Key");
    const signature = sign(createHash("sha256").update(clientKey).digest(), `${first},${challenge},${final}`);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0))).toString("base64");
    this.#socket.write(message("p", Buffer.from(`${final},p=${proof}`)));
    return this.#until("Z");
  }

  /** Sends a simple query; the answer as it came, type letters in front, up to where the server waits or has hung up. */
  async query(text: string): Promise<string> {
    this.#socket.write(message("Q", text));
    return this.#until("Z");
  }

  async #expect(type: string): Promise<Buffer> {
    const next = await this.#next();
    if (next === undefined || String.fromCharCode(next.type) !== type)
      throw new Error(`not ${type}: ${next?.body.toString("latin1")}`);
    return next.body;
  }

  async #until(type: string): Promise<string> {
    let said = "";
    for (;;) {
      const next = await this.#next();
      if (next === undefined) return said;
      said += `${String.fromCharCode(next.type)}${next.body.toString("latin1").replaceAll("\0", " ")}\n`;
      if (String.fromCharCode(next.type) === type) return said;
    }
  }

  async #next(): Promise<Message | undefined> {
    while (this.#waiting.length === 0) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk !== null) this.#waiting.push(...this.#cutter.messages(chunk));
      else if (this.#socket.destroyed || this.#socket.readableEnded) return undefined;
      else await Promise.race([once(this.#socket, "readable"), once(this.#socket, "close")]);
    }
    return this.#waiting.shift();
  }
}
