/**
 * How either end of a connection notices that the other one is gone without a word: a cable is pulled, a router forgets the
 * connection, a machine dies. Without this it takes the system's defaults: two hours at rest, and a quarter of an hour with
 * something on its way. A pooler takes none of the server's settings, and has its own.
 */
import { isLoopback } from "#base/kernel/loopback";

/** A connection that is at rest for so long is asked by this end's system whether it is there: then every second, ten times. */
export const KEEP_ALIVE_AFTER_MS = 10_000;

/** The same at the server's end, and what was sent and is not acknowledged for half a minute ends the connection. */
const KEEP_ALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3";
const USER_TIMEOUT = "-c tcp_user_timeout=30000";

/**
 * For the start of a connection to a server at this host. Only Linux knows the last setting, and elsewhere a server logs that
 * with each connection; on one's own machine there is nothing to notice.
 */
export function livenessOptions(host: string): string {
  return isLoopback(host) ? KEEP_ALIVE : `${KEEP_ALIVE} ${USER_TIMEOUT}`;
}
