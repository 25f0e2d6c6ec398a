/**
 * What a link's subscriber signs in to the gateway with: the link's name, and a password that is made of a secret at home,
 * the name and a generation. Nothing is stored of it; another generation is another password. It is good for one stream of
 * one tenant database, and for nothing of any PostgreSQL server.
 */
import { createHmac, randomBytes } from "node:crypto";
import type { SecretBox } from "#kernel/secret-box";
import type { HomeDatabase } from "#postgres/database";

/** What the secret is sealed for. */
export const BORDER_SECRET = "border-secret";

const SECRET_BYTES = 32;

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

/** Reads what passwords are made of from home, where it is made once. */
export async function loadLinkPasswords(home: HomeDatabase, secrets: SecretBox): Promise<LinkPasswords> {
  const fresh = secrets.seal(randomBytes(SECRET_BYTES).toString("base64"), BORDER_SECRET);
  const [row] = await home.query<{ sealed: Buffer }>(
    "installation.border_secret",
    // Two processes that start at once get the same one.
    `with made as (
       update tenantry.installation set border_secret = $1 where border_secret is null returning border_secret
     )
     select border_secret as sealed from made
     union all select border_secret from tenantry.installation where border_secret is not null`,
    [fresh],
  );
  if (row === undefined) return loadLinkPasswords(home, secrets);
  return new LinkPasswords(Buffer.from(secrets.open(row.sealed, BORDER_SECRET), "base64"));
}
