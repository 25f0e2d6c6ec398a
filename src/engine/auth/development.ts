/**
 * Sign-in for development, on loopback only: no header is the operator, `x-user-id` acts as that user. An API key counts
 * too, so that one can be tried: who shows a key means to be it, and not the operator.
 */
import { OPERATOR } from "#engine/auth/actor";
import { parseApiKey } from "#engine/auth/api-key-format";
import { type BearerSignIn, readBearerToken } from "#engine/auth/bearer";
import { type Credentials, forAllCallers, type SignedIn, type SignIn } from "#engine/auth/sign-in";
import { TenantryError } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";
import type { HomeDatabase } from "#base/postgres/database";

const WITHOUT_END = { expiresAt: null, keyId: null, identity: null, tokenSubject: null } as const;

export class DevelopmentSignIn implements SignIn {
  readonly mode = "development";
  readonly #home: HomeDatabase;
  readonly #keys: BearerSignIn;

  constructor({ home }: { home: HomeDatabase }, keys: BearerSignIn) {
    this.#home = home;
    this.#keys = keys;
  }

  /** Throws UNAUTHENTICATED when the header names nobody, or the key is none. */
  async identify({ authorization, userId }: Credentials): Promise<SignedIn> {
    const token = readBearerToken(authorization);
    if (token !== undefined && parseApiKey(token) !== undefined) return this.#keys.identify({ authorization });
    if (userId === null || userId === "") return { actor: OPERATOR, ...WITHOUT_END };
    const look = () => this.#home.query("users.exists", "select from tenantry.users where id = $1", [userId]);
    const found = isUuid(userId) ? await forAllCallers(look) : [];
    if (found.length === 0) throw new TenantryError("UNAUTHENTICATED", "The header x-user-id names no user.");
    return { actor: { kind: "user", userId: userId.toLowerCase() }, ...WITHOUT_END };
  }

  onEnded(signedIn: SignedIn, callback: () => void): () => void {
    return this.#keys.onEnded(signedIn, callback);
  }
}
