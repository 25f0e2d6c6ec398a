/**
 * The credential of a link's subscriber at the gateway: the link's name, and a password that is made of a secret at home,
 * the name and a generation. Nothing is stored of it; another generation is another password. It is good for one stream of
 * one tenant database, and for nothing of any PostgreSQL server.
 */
import { createHmac } from "node:crypto";

/** What the secret is sealed for. */
export const BORDER_SECRET = "border-secret";

/** Makes passwords of links. */
export class LinkPasswords {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** The password of the link of this name. Letters, digits, `-` and `_`. */
  of(link: string, generation: number): string {
    return createHmac("sha256", this.#secret).update(`link ${link} ${generation}`).digest("base64url");
  }

  /** Proves that home has said this, to home itself: whoever keeps the text for it cannot make another one. */
  proofOf(text: string): Buffer {
    return createHmac("sha256", this.#secret).update(`proof ${text}`).digest();
  }

  /** Equal texts have equal marks. A mark tells nothing of its text. */
  markOf(text: string): string {
    return createHmac("sha256", this.#secret).update(`mark ${text}`).digest("base64url").slice(0, 16);
  }
}
