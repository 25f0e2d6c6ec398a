/** How a process finds out who calls. One of these is made at start, by the composition root. */
import type { Actor } from "#engine/auth/actor";
import { clockMs } from "#base/kernel/clock";
import { outsideCalls, withStatementTimeout } from "#base/kernel/call";
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
  /** Whom home said that the token's subject is: what is followed ends when that is so no longer. Null: home was not asked. */
  identity: { issuer: string; subject: string; userId: string } | null;
  /** Whom the token that was shown is about, as its issuer says; for the audit log. */
  tokenSubject: string | null;
};

/** Milliseconds since 1970 by the clock that `expiresAt` is compared with: a key's time is home's, a token's our own. */
export function signInClockMs({ keyId }: SignedIn): number {
  return keyId === null ? Date.now() : clockMs();
}

export interface SignIn {
  readonly mode: "development" | "bearer";
  /** Throws UNAUTHENTICATED, or SIGN_IN_UNAVAILABLE when nobody knows. */
  identify(credentials: Credentials): Promise<SignedIn>;
  /**
   * Calls back when home no longer knows what was shown, until the returned function is called: the key was revoked, or the
   * token's subject is that person no longer. Also when that is so already.
   */
  onEnded(signedIn: SignedIn, callback: () => void): () => void;
}

/**
 * A single statement of finding out who calls. Several may wait for one answer, so it belongs to no caller and does not end with
 * one; a request's own deadline covers the waiting.
 */
const SIGN_IN_STATEMENT_MS = 5_000;

/** Runs what finds out who calls, or what they may do, for all who wait for it. */
export function forAllCallers<Result>(work: () => Result): Result {
  return outsideCalls(() => withStatementTimeout(SIGN_IN_STATEMENT_MS, work));
}

/** A token or key was shown, and it counts for nothing. */
export class TokenRefused extends TenantryError {
  /** Why, for the log: it never has the token in it. */
  readonly reason: string;

  constructor(reason: string) {
    super("UNAUTHENTICATED", SIGN_IN);
    this.reason = reason;
  }
}

const SIGN_IN = "Sign in: send a valid token or API key in the header Authorization: Bearer.";

/** The refusal of who shows nothing. */
export function refuseNothing(): TenantryError {
  return new TenantryError("UNAUTHENTICATED", SIGN_IN);
}

/**
 * The refusal of whatever was shown, in the same words: which part of it was wrong would help who guesses only. The reason
 * goes into the log.
 */
export function refuseToken(reason: string): TokenRefused {
  return new TokenRefused(reason);
}

/** The header `WWW-Authenticate` for a refusal: a token that was shown and is refused has an error of its own (RFC 6750). */
export function challengeFor(thrown: unknown): string {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if (error instanceof TokenRefused) return 'Bearer error="invalid_token"';
  return "Bearer";
}
