/** JSON Web Tokens of OpenID Connect issuers, checked with the keys that each publishes. */
import { createRemoteJWKSet, customFetch, decodeJwt, type JWTPayload, jwtVerify, type RemoteJWKSet } from "jose";
import { refuseToken } from "#engine/auth/sign-in";
import { TenantryError } from "#base/kernel/errors";
import { traceHeaders, withSpan } from "#base/observability/spans";
import { isSafeUrl } from "#base/kernel/loopback";
import { isStorable } from "#base/kernel/validation";

export type OidcOptions = {
  issuer: string;
  audience: string;
  /** A new key at the issuer is looked for at most this often; tokens with unknown keys cannot make us ask more. */
  cooldownMs?: number;
};

/** What a valid token says. `isFirst`: its issuer is the first one, which alone may name operators. */
export type VerifiedToken = { issuer: string; subject: string; expiresAt: Date; claims: JWTPayload; isFirst: boolean };

/** Signatures with a public key only: no `none`, and nothing that the public key itself could sign. */
const ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"];
/** Access tokens (RFC 9068), and what many providers call theirs. Logout tokens and the like have names of their own. */
const TYPES = new Set(["at+jwt", "application/at+jwt", "jwt"]);
const CLOCK_TOLERANCE_S = 30;
const MAX_SUBJECT_LENGTH = 255;
const TIMEOUT_MS = 5_000;
const COOLDOWN_MS = 10_000;
const KEYS_MAX_AGE_MS = 10 * 60_000;
const DISCOVERY_MAX_AGE_MS = 60 * 60_000;
const MAX_DOCUMENT_BYTES = 256_000;

/** The provider did not answer: nothing is known about the token. */
class ProviderAway extends Error {}

/**
 * The issuers whose tokens count. Each has its own keys, audience and pauses: one that is away keeps out its own callers only.
 * A token is checked by the issuer that it names, and by no other.
 */
export class OidcVerifiers {
  readonly #first: string;
  readonly #byIssuer: ReadonlyMap<string, OidcVerifier>;

  /** `onError` hears when a provider cannot be reached; it must not throw. Connects at the first token. */
  constructor(options: readonly [OidcOptions, ...OidcOptions[]], onError: (error: unknown) => void) {
    this.#first = options[0].issuer;
    this.#byIssuer = new Map(options.map((each) => [each.issuer, new OidcVerifier(each, onError)]));
  }

  /** Looks once at each provider. What is wrong there is heard by `onError`, in a sentence with both values. */
  async look(): Promise<void> {
    await Promise.all([...this.#byIssuer.values()].map((verifier) => verifier.look()));
  }

  /** Throws UNAUTHENTICATED; SIGN_IN_UNAVAILABLE when the token's provider does not answer, so that nobody knows. */
  async verify(token: string): Promise<VerifiedToken> {
    const issuer = this.#byIssuer.size === 1 ? this.#first : issuerOf(token);
    const verifier = this.#byIssuer.get(issuer);
    if (verifier === undefined) throw refuseToken("its issuer is none of those that count here");
    return { ...(await verifier.verify(token)), isFirst: issuer === this.#first };
  }
}

/** The issuer that a token names, before anything of it is proved: it chooses only who proves it. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? "";
  } catch {
    throw refuseToken("it cannot be read");
  }
}

class OidcVerifier {
  readonly #options: Required<OidcOptions>;
  readonly #onError: (error: unknown) => void;
  #keys: { url: string; resolve: RemoteJWKSet; readAt: number } | undefined;
  #reading: Promise<RemoteJWKSet> | undefined;
  /** When the provider last failed to answer: it is left alone for the cooldown, and callers do not wait for it. */
  #awaySince = -Infinity;

  constructor(options: OidcOptions, onError: (error: unknown) => void) {
    this.#options = { cooldownMs: COOLDOWN_MS, ...options };
    this.#onError = onError;
  }

  async look(): Promise<void> {
    await this.#publishedKeys().catch(() => undefined);
  }

  async verify(token: string): Promise<Omit<VerifiedToken, "isFirst">> {
    const { issuer, audience } = this.#options;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, await this.#publishedKeys(), {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_S,
        requiredClaims: ["iss", "aud", "sub", "exp"],
      });
      const { sub: subject, exp } = payload;
      const type = protectedHeader.typ;
      // Optional by RFC 7519, and some providers leave it out.
      if (type !== undefined && !TYPES.has(type.toLowerCase())) throw new Error(`a token of the type ${type}`);
      if (typeof subject !== "string" || subject === "" || subject.length > MAX_SUBJECT_LENGTH || !isStorable(subject))
        throw new Error("a token without a subject of usual length and characters");
      for (const claim of [payload.nbf, payload.iat]) if (claim !== undefined) momentOf(claim);
      return { issuer, subject, expiresAt: momentOf(exp), claims: payload };
    } catch (error) {
      if (error instanceof ProviderAway)
        throw new TenantryError(
          "SIGN_IN_UNAVAILABLE",
          "The identity provider does not answer: try again in a moment.",
          {
            cause: error,
            retryAfterSeconds: Math.max(1, Math.ceil(this.#options.cooldownMs / 1_000)),
          },
        );
      // Never more than the message: libraries put all claims into their errors.
      throw refuseToken(error instanceof Error ? error.message : "it cannot be read");
    }
  }

  /** The issuer's keys: where they are is discovered at the first token and looked at again every hour. */
  async #publishedKeys(): Promise<RemoteJWKSet> {
    const known = this.#keys;
    if (known !== undefined && performance.now() - known.readAt < DISCOVERY_MAX_AGE_MS) return known.resolve;
    this.#reading ??= this.#discover().finally(() => {
      this.#reading = undefined;
    });
    try {
      return await this.#reading;
    } catch (error) {
      // What was discovered before is still better than nobody signing in.
      if (known !== undefined) return known.resolve;
      throw error;
    }
  }

  async #discover(): Promise<RemoteJWKSet> {
    const { issuer, cooldownMs } = this.#options;
    const response = await this.#fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const { named, url } = readConfiguration(await response.text());
    if (named !== issuer || url === undefined) {
      const error = new ProviderAway(
        named === issuer
          ? "the provider's configuration names no address of its keys, or one that is not safe"
          : `the issuer is set as ${issuer}, and the provider there calls itself ${shown(named)}: both must be the same, to the last slash`,
      );
      this.#away(error);
      throw error;
    }
    const resolve =
      this.#keys?.url === url
        ? this.#keys.resolve
        : createRemoteJWKSet(new URL(url), {
            timeoutDuration: TIMEOUT_MS,
            cooldownDuration: cooldownMs,
            cacheMaxAge: KEYS_MAX_AGE_MS,
            [customFetch]: (at, init) => this.#fetch(at, init),
          });
    this.#keys = { url, resolve, readAt: performance.now() };
    return resolve;
  }

  /** Asks the provider, unless it has just failed to answer. Throws ProviderAway. */
  async #fetch(url: string, init: RequestInit): Promise<Response> {
    if (performance.now() - this.#awaySince < this.#options.cooldownMs)
      throw new ProviderAway("the provider did not answer a moment ago");
    try {
      // As a part of the caller's trace, where the provider's operator follows it too.
      const headers = { ...Object.fromEntries(new Headers(init.headers)), ...traceHeaders() };
      const response = await withSpan("identity provider", () => fetch(url, { ...init, headers }), { kind: "client" });
      if (response.status !== 200) throw new Error(`${url} answers with status ${response.status}`);
      const body = await response.arrayBuffer();
      if (body.byteLength > MAX_DOCUMENT_BYTES) throw new Error(`${url} answers with more than a list of keys`);
      return new Response(body, { status: 200, headers: { "content-type": "application/json" } });
    } catch (cause) {
      this.#away(cause);
      throw new ProviderAway("the identity provider cannot be reached", { cause });
    }
  }

  #away(error: unknown): void {
    this.#awaySince = performance.now();
    this.#onError(error);
  }
}

/** A moment that a token names in seconds. Throws when no moment has that number: JSON has numbers such as 1e300. */
function momentOf(seconds: unknown): Date {
  const moment = new Date(typeof seconds === "number" ? seconds * 1_000 : Number.NaN);
  if (Number.isNaN(moment.getTime())) throw new Error("a token that names no moment where one is expected");
  return moment;
}

/** What the provider says: for a log, in a line, and not without end. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 200);
}

/** What the document calls its issuer, and where the keys are: undefined when that is no address, or one that is not safe. */
function readConfiguration(text: string): { named: unknown; url: string | undefined } {
  let document: { issuer?: unknown; jwks_uri?: unknown };
  try {
    document = JSON.parse(text) as typeof document;
  } catch {
    return { named: undefined, url: undefined };
  }
  // JSON may also be null, or a text.
  const { issuer: named, jwks_uri: url } = Object(document) as { issuer?: unknown; jwks_uri?: unknown };
  return { named, url: typeof url === "string" && isSafeUrl(url) ? url : undefined };
}
