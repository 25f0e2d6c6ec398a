/** What an API key looks like: `tnk_<id>_<secret>`. The prefix and the fixed lengths let scanners find one that leaked. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const FORMAT = /^tnk_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
const SECRET_BYTES = 32;

/** Makes the key of an id: the text that is shown once, and what is kept of it. */
export function makeApiKey(id: string): { text: string; secretHash: Buffer } {
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  return { text: `tnk_${id.replaceAll("-", "")}_${secret}`, secretHash: hash(secret) };
}

/** Takes a key apart; undefined when the text is none. */
export function parseApiKey(text: string): { id: string; secret: string } | undefined {
  const [, a, b, c, d, e, secret] = FORMAT.exec(text) ?? [];
  return secret === undefined ? undefined : { id: `${a}-${b}-${c}-${d}-${e}`, secret };
}

/** Whether the secret is the one that was hashed, in a time that does not tell how much of it is right. */
export function isSecretOf(secretHash: Buffer, secret: string): boolean {
  return timingSafeEqual(secretHash, hash(secret));
}

// The secret is 256 random bits: there is nothing to guess, so nothing that a slow hash would protect.
function hash(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
