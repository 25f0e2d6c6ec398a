/** Which answers pages of other origins may read: those of origins that are welcome (origin.ts). */
import type { Visitors } from "#api/http/guards/origin";

const METHODS = ["GET", "POST", "OPTIONS"];
const EXPOSED_HEADERS = ["retry-after", "x-request-id", "ratelimit", "ratelimit-policy"];

/** For Yoga; false: no header. An empty list of origins would mean all of them to it. */
export function corsFor({ headers }: Request, visitors: Visitors) {
  const origin = headers.get("origin");
  if (origin === null || !visitors.mayRead(origin)) return false as const;
  return {
    origin,
    credentials: false,
    methods: METHODS,
    allowedHeaders: visitors.headersFor(headers.get("access-control-request-headers")),
    exposedHeaders: EXPOSED_HEADERS,
  };
}

/** The same as headers of an answer. */
export function corsHeadersFor(origin: string, visitors: Visitors): Record<string, string> {
  if (!visitors.mayRead(origin)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": METHODS.join(", "),
    "access-control-allow-headers": visitors.headersFor(null).join(", "),
    "access-control-expose-headers": EXPOSED_HEADERS.join(", "),
  };
}
