/**
 * Where a database's error came from. The driver's errors do not say it, and whoever catches one far above has forgotten it:
 * home and a region fail with the same words. The error itself stays what it is.
 */

export type DatabaseKind = "home" | "tenant" | "server";

export type FailedAt = {
  readonly kind: DatabaseKind;
  /** Host and port. */
  readonly server: string;
  readonly database: string;
  /** The key of the region whose server it is. */
  readonly region?: string | undefined;
  /** Which role was signed in, or was to be. */
  readonly role: string;
  /** Whether there was no connection yet. */
  readonly isConnecting: boolean;
  /** Whether it was a statement in a transaction that a team's code had begun. */
  readonly isInTransaction?: boolean;
  /** Whether it was on its way and may have been done all the same: a COMMIT, or a statement that commits by itself. */
  readonly isOutcomeUnknown?: boolean;
};

const places = new WeakMap<Error, FailedAt>();

/** Notes where an error came from, unless that is known: whoever heard it first was nearest. */
export function noteFailedAt(error: unknown, at: FailedAt): void {
  if (error instanceof Error && !places.has(error)) places.set(error, at);
}

/** Undefined for an error that no database gave. Looks behind an error that names another one as its cause. */
export function failedAt(error: unknown): FailedAt | undefined {
  if (!(error instanceof Error)) return undefined;
  return places.get(error) ?? failedAt(error.cause);
}
