/**
 * Which web pages may talk to us in development. The program trusts whoever reaches it there, so a page on another
 * site must not get through the person's browser: neither by its origin nor by a host name that it points at us.
 */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/** Apollo Sandbox: a page in the browser that calls the endpoint it is given. */
export const SANDBOX_ORIGIN = "https://studio.apollographql.com";

/** Whether a request with this Origin header may be served; programs send none. */
export function isAllowedOrigin(origin: string | undefined): boolean {
  if (origin === undefined || origin === "" || origin === SANDBOX_ORIGIN) return true;
  if (!URL.canParse(origin)) return false;
  const { protocol, host } = new URL(origin);
  return (protocol === "http:" || protocol === "https:") && LOOPBACK_HOST.test(host);
}

/** Whether the Host header names this machine's loopback: guards against DNS rebinding. */
export function isAllowedHost(host: string | undefined): boolean {
  return host === undefined || LOOPBACK_HOST.test(host);
}
