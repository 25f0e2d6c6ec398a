/** Headers that tell browsers what not to do with our answers. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { SignIn } from "#engine/auth/sign-in";

const YEAR_SECONDS = 31_536_000;

/** Sets what every answer has; the explorer's pages loosen it for themselves. */
export function setSecurityHeaders(
  request: IncomingMessage,
  response: ServerResponse,
  { mode, trustedProxies }: { mode: SignIn["mode"]; trustedProxies: number },
): void {
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  // Other sites' pages cannot take answers in as pictures or scripts. Reading them is a matter of CORS.
  response.setHeader("cross-origin-resource-policy", "same-origin");
  response.setHeader("cache-control", "no-store");
  // Browsers heed it over TLS only, of which a proxy tells us. In development it would stick to localhost.
  if (mode === "bearer" && trustedProxies > 0 && request.headers["x-forwarded-proto"] === "https")
    response.setHeader("strict-transport-security", `max-age=${YEAR_SECONDS}`);
}
