/**
 * What a link's subscriber signs in to the gateway with: the link's name, and a password that is made of a secret at home,
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

  /** The same for the same text, and says nothing else of it. */
  markOf(text: string): string {
    return createHmac("sha256", this.#secret).update(`mark ${text}`).digest("base64url").slice(0, 16);
  }
}
