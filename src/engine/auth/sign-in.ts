/** How a process finds out who calls. One of these is made at start, by the composition root. */
import type { Actor } from "#engine/auth/actor";
import { TenantryError } from "#base/kernel/errors";

/** Where a call comes from, as far as it says so. */
export type Client = {
  /** The IP address; null: not known, as on the command line. */
  address: string | null;
  /** The header `User-Agent`, cut. */
  userAgent: string | null;
};

/** What a request or a web socket brings along. Null or empty: nothing. */
export type Credentials = {
  /** The header `Authorization`. */
  authorization: string | null;
  /** The header `x-user-id`; counts in development only. */
  userId: string | null;
  /** For the entry in the audit log where signing in makes something. */
  client?: Client;
};

/** Who calls, and for how long that holds: what is followed ends with it. */
export type SignedIn = {
  actor: Actor;
  /** When the token or key expires; null: it does not. */
  expiresAt: Date | null;
  /** The API key that was shown, so that revoking it ends what it follows. */
  keyId: string | null;
  /** Whom the token that was shown is about, as its issuer says; for the audit log. */
  tokenSubject: string | null;
};

export interface SignIn {
  readonly mode: "development" | "bearer";
  /** Throws UNAUTHENTICATED. */
  identify(credentials: Credentials): Promise<SignedIn>;
  /** Calls back when the key is revoked, until the returned function is called. */
  onRevoked(keyId: string, callback: () => void): () => void;
}

/**
 * The one refusal of whatever was shown: which part of it was wrong would help who guesses only. The reason goes into
 * the log, as `cause`.
 */
export function refuseToken(cause?: unknown): TenantryError {
  return new TenantryError(
    "UNAUTHENTICATED",
    "Sign in: send a valid token or API key in the header Authorization: Bearer.",
    cause === undefined ? {} : { cause },
  );
}
