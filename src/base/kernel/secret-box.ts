/** Secrets at rest: AES-256-GCM with a key that the operator keeps outside the database. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { TenantryError } from "#base/kernel/errors";

/** Format, nonce, tag, body; sealed before keys had ids. Read, no longer written. */
const FORMAT_WITHOUT_KEY_ID = 1;
/** Format, id of the key, nonce, tag, body. */
const FORMAT = 2;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

type Key = { id: Buffer; bytes: Buffer };

export class SecretBox {
  readonly #current: Key;
  readonly #keys: readonly Key[];

  /**
   * Each key is 32 random bytes in base64 or hexadecimal. `current` seals; `previous` are tried too when something is
   * opened, so that a key can be changed while processes run. Throws INVALID_INPUT with the variable's name.
   */
  constructor(current: string, previous: readonly string[] = []) {
    this.#current = readKey(current, "TENANTRY_SECRET_KEY");
    this.#keys = [this.#current, ...previous.map((key) => readKey(key, "TENANTRY_SECRET_KEY_PREVIOUS"))];
  }

  /** Encrypts; `context` (an id) must be given again to decrypt, so that a value cannot be moved to another row. */
  seal(plain: string, context: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const { id, bytes } = this.#current;
    const cipher = createCipheriv("aes-256-gcm", bytes, nonce);
    cipher.setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(plain, "utf8"), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), id, nonce, cipher.getAuthTag(), body]);
  }

  /** Whether the value was sealed with the current key, in the current format. */
  isCurrent(sealed: Buffer): boolean {
    return sealed[0] === FORMAT && keyIdOf(sealed).equals(this.#current.id);
  }

  /** Decrypts what {@link seal} made. Throws INTERNAL when none of the keys fits or the value was changed. */
  open(sealed: Buffer, context: string): string {
    let cause: unknown = new Error(`sealed in format ${sealed[0]} with a key that was not given`);
    for (const key of this.#keys) {
      if (sealed[0] === FORMAT && !keyIdOf(sealed).equals(key.id)) continue;
      try {
        return decrypt(sealed, key.bytes, context);
      } catch (error) {
        cause = error;
      }
    }
    throw new TenantryError(
      "INTERNAL",
      "A stored secret cannot be decrypted: neither TENANTRY_SECRET_KEY nor TENANTRY_SECRET_KEY_PREVIOUS has the key it was encrypted with.",
      { cause },
    );
  }
}

function readKey(text: string, variable: string): Key {
  const bytes = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? "hex" : "base64");
  if (bytes.length !== KEY_BYTES)
    throw new TenantryError(
      "INVALID_INPUT",
      `${variable} must be 32 random bytes in base64 or hexadecimal; \`openssl rand -base64 32\` makes them.`,
      { field: variable },
    );
  // Says which key without helping to guess one: the keys are random.
  return { id: createHash("sha256").update("tenantry key id").update(bytes).digest().subarray(0, KEY_ID_BYTES), bytes };
}

function keyIdOf(sealed: Buffer): Buffer {
  return sealed.subarray(1, 1 + KEY_ID_BYTES);
}

function decrypt(sealed: Buffer, key: Buffer, context: string): string {
  const format = sealed[0];
  if (format !== FORMAT && format !== FORMAT_WITHOUT_KEY_ID) throw new Error(`unknown format ${format}`);
  const rest = sealed.subarray(format === FORMAT ? 1 + KEY_ID_BYTES : 1);
  const decipher = createDecipheriv("aes-256-gcm", key, rest.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(rest.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  const body = rest.subarray(NONCE_BYTES + TAG_BYTES);
  return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
}
