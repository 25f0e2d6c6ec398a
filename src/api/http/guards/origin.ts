/**
 * Which web pages may talk to us: our own, and those on the list of TENANTRY_CORS_ORIGINS. In development the program
 * trusts whoever reaches it, so a page on another site must not get through the person's browser: neither by its origin nor
 * by a host name that it points at us. With bearer tokens nothing is trusted that a browser sends by itself; the list then
 * keeps pages that nobody expects from using a token that they got hold of.
 */
import type { IncomingMessage } from "node:http";
import type { SignIn } from "#engine/auth/sign-in";
import { isLoopback } from "#base/kernel/loopback";

/** Apollo Sandbox, on its own page and within others: pages in the browser that call the endpoint they are given. */
const SANDBOX_ORIGINS = ["https://studio.apollographql.com", "https://sandbox.embed.apollographql.com"];

/**
 * What pages send besides, with GraphQL clients and with the usual programs for traces and errors. A name that ends with `*`
 * stands for all that begin so. Browsers take no such pattern with `authorization`, so what is asked for is named.
 */
const ALLOWED_HEADERS = [
  "content-type",
  "authorization",
  "x-user-id",
  "x-request-id",
  "traceparent",
  "tracestate",
  "baggage",
  "sentry-trace",
  "apollo-*",
  "apollographql-*",
  "x-apollo-*",
];

/** A page asks for a handful. */
const MAX_ASKED_HEADERS = 50;

/** What we make of pages and their requests. */
export type Visitors = {
  /** Whether a request may be served as far as its page and host name go; programs name no page. */
  isWelcome: (request: IncomingMessage) => boolean;
  /** Whether a page of another origin may read the answer, as CORS has it. */
  mayRead: (origin: string) => boolean;
  /** The headers that such a page may send; `asked` is what its preflight names. */
  headersFor: (asked: string | null) => string[];
};

/** `corsOrigins`: as in https://app.example.com, or `*` for every page. */
export function visitorsOf(
  mode: SignIn["mode"],
  { corsOrigins, corsHeaders }: { corsOrigins: readonly string[]; corsHeaders: readonly string[] },
): Visitors {
  const listed = new Set(mode === "development" ? [...SANDBOX_ORIGINS, ...corsOrigins] : corsOrigins);
  const mayRead = (origin: string) => listed.has("*") || listed.has(origin);
  const isOwn = mode === "development" ? ({ headers }: IncomingMessage) => isLocal(headers.origin ?? "") : isSameOrigin;
  return {
    mayRead,
    headersFor: headersFor([...ALLOWED_HEADERS, ...corsHeaders.map((name) => name.toLowerCase())]),
    isWelcome: (request) => {
      if (mode === "development" && !isLocalHost(request.headers.host)) return false;
      const { origin } = request.headers;
      return origin === undefined || origin === "" || mayRead(origin) || isOwn(request);
    },
  };
}

function headersFor(allowed: readonly string[]): Visitors["headersFor"] {
  const names = allowed.filter((name) => !name.endsWith("*"));
  const beginnings = allowed.filter((name) => name.endsWith("*")).map((name) => name.slice(0, -1));
  return (asked) => {
    const wanted = (asked ?? "").split(",", MAX_ASKED_HEADERS).map((name) => name.trim().toLowerCase());
    const matching = wanted.filter(
      (name) => /^[a-z0-9-]+$/.test(name) && beginnings.some((beginning) => name.startsWith(beginning)),
    );
    return [...new Set([...names, ...matching])];
  };
}

/**
 * Whether a page of another site has had the browser ask without naming the page: as a picture, a script, a form or a link
 * it needs no preflight. Programs and browsers of before 2023 say nothing of it; what is asked that way changes nothing,
 * and its answer cannot be read by the page.
 */
export function isFromElsewhere({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  return headers.origin === undefined && (site === "cross-site" || site === "same-site");
}

function isLocal(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, hostname } = new URL(origin);
  return (protocol === "http:" || protocol === "https:") && isLoopback(hostname);
}

/** By the browser's own word, or by the host name, which a proxy may have changed. */
function isSameOrigin({ headers }: IncomingMessage): boolean {
  if (headers["sec-fetch-site"] === "same-origin") return true;
  const { origin = "", host } = headers;
  return URL.canParse(origin) && new URL(origin).host === host;
}

// Guards against DNS rebinding.
function isLocalHost(host: string | undefined): boolean {
  return host === undefined || isLoopback(host.replace(/:\d+$/, ""));
}
