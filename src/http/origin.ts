/**
 * Which web pages may talk to us. In development the program trusts whoever reaches it, so a page on another site must
 * not get through the person's browser: neither by its origin nor by a host name that it points at us. With bearer
 * tokens nothing is trusted that a browser sends by itself, so any page may call with the token that it has.
 */
import type { SignIn } from "#auth/sign-in";
import { isLoopback } from "#kernel/loopback";

/** Apollo Sandbox: a page in the browser that calls the endpoint it is given. */
const SANDBOX_ORIGIN = "https://studio.apollographql.com";

/** What the sign-in makes of pages and their requests. */
export type Visitors = {
  /** Whether a request with this Origin header may be served; programs send none. */
  isAllowedOrigin: (origin: string | undefined) => boolean;
  /** Whether a request with this Host header may be served. */
  isAllowedHost: (host: string | undefined) => boolean;
  /** Origins that are allowed to read answers, as CORS has it. */
  corsOrigins: string | string[];
};

export function visitorsOf(mode: SignIn["mode"]): Visitors {
  if (mode === "bearer") return { isAllowedOrigin: () => true, isAllowedHost: () => true, corsOrigins: "*" };
  return { isAllowedOrigin: isLocalOrigin, isAllowedHost: isLocalHost, corsOrigins: [SANDBOX_ORIGIN] };
}

function isLocalOrigin(origin: string | undefined): boolean {
  if (origin === undefined || origin === "" || origin === SANDBOX_ORIGIN) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, hostname } = new URL(origin);
  return (protocol === "http:" || protocol === "https:") && isLoopback(hostname);
}

// Guards against DNS rebinding.
function isLocalHost(host: string | undefined): boolean {
  return host === undefined || isLoopback(host.replace(/:\d+$/, ""));
}
