/**
 * Bounds how often one address may fail to sign in, which costs a look into the database or a signature each time. Who has
 * signed in before with what they show gets through all the same: others may share their address, or a proxy has it.
 */
import { hash } from "node:crypto";
import type { Client, Credentials, SignedIn, SignIn } from "#engine/auth/sign-in";
import { BoundedMap } from "#base/kernel/bounded-map";
import { TenantryError } from "#base/kernel/errors";
import { networkOf } from "#api/http/guards/client-network";
import { TokenBuckets } from "#api/http/limits/token-buckets";

const MAX_KNOWN = 10_000;

export class SignInGuard {
  readonly #signIn: SignIn;
  readonly #failures: TokenBuckets;
  /** Hashes of what has signed somebody in. */
  readonly #known = new BoundedMap<string, true>(MAX_KNOWN);
  /** Who is among them with what they have just shown: sign-in remembers them for a moment, and nothing need be hashed. */
  readonly #noted = new WeakSet<SignedIn>();

  /** `failuresPerMinute` 0: any number. */
  constructor(signIn: SignIn, failuresPerMinute: number) {
    this.#signIn = signIn;
    this.#failures = new TokenBuckets(failuresPerMinute / 60, failuresPerMinute);
  }

  /** Throws UNAUTHENTICATED, or LIMIT_EXCEEDED without looking when the address has failed too often. */
  async identify(credentials: Credentials & { client: Client }): Promise<SignedIn> {
    const { client, authorization, userId } = credentials;
    // Nearly always nobody has failed of late, and nothing has to be counted.
    const address = () => networkOf(client.address ?? "unknown");
    const shown = () => hash("sha256", `${userId ?? ""} ${authorization ?? ""}`, "base64");
    const retryAfterSeconds = this.#failures.size === 0 ? 0 : this.#failures.secondsUntil(address(), 1);
    if (retryAfterSeconds > 0 && !this.#known.has(shown()))
      throw new TenantryError(
        "LIMIT_EXCEEDED",
        `Too many sign-ins from your address have failed: try again in ${retryAfterSeconds} s.`,
        { retryAfterSeconds, limit: "sign_in_failures" },
      );
    try {
      const signedIn = await this.#signIn.identify(credentials);
      if (!this.#noted.has(signedIn)) {
        this.#known.set(shown(), true);
        this.#noted.add(signedIn);
      }
      return signedIn;
    } catch (error) {
      if (error instanceof TenantryError && error.code === "UNAUTHENTICATED") {
        this.#known.delete(shown());
        this.#failures.take(address(), 1);
      }
      throw error;
    }
  }
}
