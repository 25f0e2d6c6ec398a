/**
 * The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding. Node has no such thing, and the
 * package that has one is a beta. The password is random and of plain ASCII: it needs no normalisation, and one round
 * does, as there is nothing to guess.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";
import { ProtocolError } from "#engine/border/protocol/wire";

const ROUNDS = 1;
const SALT_BYTES = 16;
const NONCE_BYTES = 18;
const MAX_NONCE_LENGTH = 256;

/** One exchange. Both functions return undefined for what is malformed; `isProved` says whether the password was right. */
export class ScramExchange {
  readonly #salt = randomBytes(SALT_BYTES);
  #clientFirst = "";
  #serverFirst = "";
  #binding = "";
  #nonce = "";

  /** Takes the client's first message and returns the server's. */
  begin(clientFirst: string): string | undefined {
    // `y`: the client could bind the channel and saw that we do not offer it. `p` would insist on it.
    const match = /^((?:n|y),(?:a=[^,]*)?,)(n=[^,]*,r=([!-+\--~]+))$/.exec(clientFirst);
    if (match === null || (match[3]?.length ?? 0) > MAX_NONCE_LENGTH) return undefined;
    this.#binding = Buffer.from(match[1] ?? "").toString("base64");
    this.#clientFirst = match[2] ?? "";
    this.#nonce = `${match[3]}${randomBytes(NONCE_BYTES).toString("base64")}`;
    this.#serverFirst = `r=${this.#nonce},s=${this.#salt.toString("base64")},i=${ROUNDS}`;
    return this.#serverFirst;
  }

  /** Takes the client's last message. `answer` is the server's proof that it knows the password too. */
  finish(clientFinal: string, password: string): { isProved: boolean; answer: string } | undefined {
    const match = /^(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)),p=([A-Za-z0-9+/=]+)$/.exec(clientFinal);
    if (match === null || match[2] !== this.#binding || match[3] !== this.#nonce) return undefined;
    const salted = pbkdf2Sync(password, this.#salt, ROUNDS, 32, "sha256");
    const sign = (key: Buffer, text: string) => createHmac("sha256", key).update(text).digest();
    const text = `${this.#clientFirst},${this.#serverFirst},${match[1]}`;
    const storedKey = createHash("sha256").update(sign(salted, "Client Key")).digest();
    const signature = sign(storedKey, text);
    const proof = Buffer.from(match[4] ?? "", "base64");
    if (proof.length !== signature.length) return undefined;
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
    const isProved = timingSafeEqual(createHash("sha256").update(clientKey).digest(), storedKey);
    return { isProved, answer: `v=${sign(sign(salted, "Server Key"), text).toString("base64")}` };
  }
}

/** The mechanism's name, a length, and the client's first message. */
export function readInitialResponse(body: Buffer): string {
  const end = body.indexOf(0);
  if (end === -1 || body.toString("latin1", 0, end) !== "SCRAM-SHA-256" || body.length < end + 5)
    throw new ProtocolError("another way to sign in");
  const length = body.readInt32BE(end + 1);
  if (length !== body.length - end - 5) throw new ProtocolError("a sign-in that cannot be read");
  return body.toString("latin1", end + 5);
}
