/** Sign-in with `Authorization: Bearer`: an API key, or a JWT of an OpenID Connect issuer. */
import { hash } from "node:crypto";
import { type Actor, OPERATOR, READ_ONLY_OPERATOR } from "#engine/auth/actor";
import { parseApiKey } from "#engine/auth/api-key-format";
import { findSignedInByKey } from "#engine/auth/api-keys";
import { findTokenUser } from "#engine/auth/identities";
import { type OidcOptions, OidcVerifiers, type VerifiedToken } from "#engine/auth/oidc";
import type { EndedSignIns } from "#engine/auth/ended-sign-ins";
import type { RoleCache } from "#engine/auth/role-cache";
import {
  type Client,
  type Credentials,
  forAllCallers,
  refuseNothing,
  refuseToken,
  signInClockMs,
  type SignedIn,
  type SignIn,
  TokenRefused,
} from "#engine/auth/sign-in";
import { BoundedMap } from "#base/kernel/bounded-map";
import type { HomeDatabase } from "#base/postgres/database";

export type BearerOptions = {
  /** Left out: API keys only. */
  oidc?: OidcOptions | undefined;
  /** More issuers. Their tokens name no operators. */
  otherIssuers?: readonly OidcOptions[];
  /** Whether an address that another issuer calls verified is the subject's. Only the first issuer is believed without it. */
  otherIssuersProveAddresses?: boolean;
  /** Whether a valid token of somebody unknown makes a user. */
  createUsers?: boolean;
  /** Tokens of the first issuer with this value in this claim sign in the operator. */
  operatorClaim?: { name: string; value: string } | undefined;
  /** Tokens of the first issuer with this value in this claim sign in an operator who may change nothing, unless they have the other one too. */
  readOnlyClaim?: { name: string; value: string } | undefined;
};

/** No provider's tokens are longer, and nothing longer is looked at. */
const MAX_TOKEN_LENGTH = 8_192;

/**
 * Who was behind a token is remembered this long. Revoking a key, erasing a user or linking an identity takes effect
 * within it, even where the notification is lost.
 */
const REMEMBERED_MS = 1_000;
const MAX_REMEMBERED = 10_000;

type Remembered = { signedIn: Promise<SignedIn>; until: number };

export class BearerSignIn implements SignIn {
  readonly mode = "bearer";
  readonly #home: HomeDatabase;
  readonly #onRefused: (reason: string) => void;
  readonly #options: BearerOptions;
  readonly #verifier: OidcVerifiers | undefined;
  readonly #ended: EndedSignIns;
  readonly #roleCache: RoleCache | undefined;
  /** By a hash of the token: a dump of the memory shows no token that is valid. */
  readonly #remembered = new BoundedMap<string, Remembered>(MAX_REMEMBERED);

  /** `onError` hears when the provider cannot be reached, `onRefused` why a token is refused, `roleCache` what role a key has. */
  constructor(
    context: {
      home: HomeDatabase;
      endedSignIns: EndedSignIns;
      roleCache?: RoleCache;
      onError: (error: unknown) => void;
      onRefused: (reason: string) => void;
    },
    options: BearerOptions,
  ) {
    this.#home = context.home;
    this.#onRefused = context.onRefused;
    this.#options = options;
    const { oidc, otherIssuers = [] } = options;
    this.#verifier = oidc === undefined ? undefined : new OidcVerifiers([oidc, ...otherIssuers], context.onError);
    this.#ended = context.endedSignIns;
    this.#roleCache = context.roleCache;
    context.endedSignIns.onAny(() => this.#remembered.clear());
  }

  /** Looks once whether each provider is there and is the one that was meant. */
  async look(): Promise<void> {
    await this.#verifier?.look();
  }

  /** Throws UNAUTHENTICATED, or SIGN_IN_UNAVAILABLE. */
  async identify({ authorization, client }: Pick<Credentials, "authorization" | "client">): Promise<SignedIn> {
    if (authorization === null || authorization === "") throw refuseNothing();
    try {
      const token = readBearerToken(authorization);
      if (token === undefined) throw refuseToken("the header has no Bearer token of the usual form and length");
      const signedIn = await this.#remember(token, client);
      // In this order an end that is no moment is over.
      if (
        signedIn.expiresAt !== null &&
        !(signedIn.expiresAt.getTime() > signInClockMs(signedIn) - this.#toleranceMs(signedIn))
      )
        throw refuseToken("it has expired");
      return signedIn;
    } catch (error) {
      if (error instanceof TokenRefused) this.#onRefused(error.reason);
      throw error;
    }
  }

  onEnded(signedIn: SignedIn, callback: () => void): () => void {
    return this.#ended.on(signedIn, callback);
  }

  // The verifier allows an issuer's clock to differ; a key's time is home's own.
  #toleranceMs({ keyId }: SignedIn): number {
    return keyId === null ? 30_000 : 0;
  }

  #remember(token: string, client: Client | undefined): Promise<SignedIn> {
    const now = performance.now();
    const digest = hash("sha256", token, "base64");
    const found = this.#remembered.get(digest);
    if (found !== undefined && found.until > now) return found.signedIn;
    const signedIn = forAllCallers(() => this.#signIn(token, client));
    this.#remembered.set(digest, { signedIn, until: now + REMEMBERED_MS });
    // Refusals are not remembered: they would push out who is signed in.
    signedIn.catch(() => this.#remembered.delete(digest));
    return signedIn;
  }

  async #signIn(token: string, client: Client | undefined): Promise<SignedIn> {
    const key = parseApiKey(token);
    if (key !== undefined) {
      const askedAt = performance.now();
      const signedIn = await findSignedInByKey(this.#home, key);
      if (signedIn === undefined) throw refuseToken("there is no such API key, or it has expired or was revoked");
      this.#roleCache?.note(signedIn.actor, askedAt);
      return signedIn;
    }
    if (this.#verifier === undefined) throw refuseToken("it is no API key, and OIDC_ISSUER is not set");
    const verified = await this.#verifier.verify(token);
    const { expiresAt, issuer, subject } = verified;
    const actor = await this.#actorOf(verified, client);
    const identity = actor.kind === "user" ? { issuer, subject, userId: actor.userId } : null;
    return { actor, expiresAt, keyId: null, identity, tokenSubject: subject };
  }

  async #actorOf(token: VerifiedToken, client: Client | undefined): Promise<Actor> {
    const { operatorClaim, readOnlyClaim, createUsers = false, otherIssuersProveAddresses = false } = this.#options;
    // Another issuer may be a customer's own: who runs the platform is not its to say.
    const says = (claim: typeof operatorClaim) => token.isFirst && claim !== undefined && hasClaim(token.claims, claim);
    if (says(operatorClaim)) return OPERATOR;
    if (says(readOnlyClaim)) return READ_ONLY_OPERATOR;
    const provesAddress = token.isFirst || otherIssuersProveAddresses;
    const userId = await findTokenUser({ home: this.#home }, token, { createUsers, provesAddress, client });
    return { kind: "user", userId };
  }
}

/** The token of the header; undefined when there is none or it cannot be one. */
export function readBearerToken(authorization: string | null): string | undefined {
  if (authorization === null || authorization.length > MAX_TOKEN_LENGTH) return undefined;
  return /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization)?.[1];
}

/** Whether the claim is the value or a list with it. `a.b` is the claim `b` in `a`, unless a claim has that very name. */
export function hasClaim(claims: Record<string, unknown>, { name, value }: { name: string; value: string }): boolean {
  const claim = Object.hasOwn(claims, name) ? claims[name] : valueAt(claims, name.split("."));
  return claim === value || (Array.isArray(claim) && claim.includes(value));
}

function valueAt(claims: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, part)
        ? (inner as Record<string, unknown>)[part]
        : undefined,
    claims,
  );
}
