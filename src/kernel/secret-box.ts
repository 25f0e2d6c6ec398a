/** Secrets at rest: AES-256-GCM with a key that the operator keeps outside the database. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { TenantryError } from "#kernel/errors";

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export class SecretBox {
  readonly #key: Buffer;

  /** `key` is 32 random bytes in base64 or hexadecimal. Throws INVALID_INPUT (TENANTRY_SECRET_KEY) on anything else. */
  constructor(key: string) {
    this.#key = Buffer.from(key, /^[0-9a-f]{64}$/i.test(key) ? "hex" : "base64");
    if (this.#key.length !== KEY_BYTES)
      throw new TenantryError(
        "INVALID_INPUT",
        "TENANTRY_SECRET_KEY must be 32 random bytes in base64 or hexadecimal; `openssl rand -base64 32` makes one.",
        { field: "TENANTRY_SECRET_KEY" },
      );
  }

  /** A digest that only who has the key can make: tells whether a secret is another one without keeping it. */
  digest(plain: string): Buffer {
    return createHmac("sha256", this.#key).update(plain).digest();
  }

  /** Encrypts; `context` (an id) must be given again to decrypt, so that a value cannot be moved to another row. */
  seal(plain: string, context: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    cipher.setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), body]);
  }

  /** Decrypts what {@link seal} made. Throws INTERNAL when the key is another one or the value was changed. */
  open(sealed: Buffer, context: string): string {
    try {
      if (sealed[0] !== FORMAT) throw new Error(`format ${sealed[0]}`);
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES));
      const body = sealed.subarray(1 + NONCE_BYTES + TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
    } catch (cause) {
      throw new TenantryError(
        "INTERNAL",
        "A stored secret cannot be decrypted: TENANTRY_SECRET_KEY is not the key it was encrypted with.",
        { cause },
      );
    }
  }
}
