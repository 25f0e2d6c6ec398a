/**
 * A subscription connects from the subscriber's server, which may not reach the gateway: the failure says which server could
 * not connect, and which setting says how it is to. Host and port are left out: organizations read why their placement
 * failed.
 */
import { TenantryError } from "#base/kernel/errors";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import type { Subscribing } from "#engine/replication/link";

/** In libpq's words, where the server speaks English, and in ours. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/does not match host name/, "its certificate is for another host name"],
  [
    /root certificate file .* does not exist/,
    "the file with the CA, sslrootcert, is not there on the server that subscribes",
  ],
  [
    /could not read root certificate file/,
    "the file with the CA, sslrootcert, cannot be read on the server that subscribes",
  ],
  [/certificate verify failed/, "its certificate does not pass: of another authority, expired or revoked"],
  [/does not support SSL/, "it does not take TLS connections"],
  [/takes TLS connections only/, "it takes TLS connections only, and the address says sslmode=disable"],
  [/password authentication failed/, "it refused the link's password, so it is the gateway of another installation"],
  [/no pg_hba\.conf entry|database ".*" does not exist|permission denied/, "another program answers there"],
  [/could not translate host name/, "there is no such host for the server that subscribes"],
  [/Connection refused/, "nothing listens there"],
  [/timeout expired|timed out/i, "it does not answer"],
  [/No route to host|Network is unreachable/, "there is no way there"],
];

/** What libpq said, in words that hold no address and no secret. */
export function explainLibpq(message: string): string {
  return REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? "the connection failed; the log has more";
}

/** What connects to what: of a link, or of one that is yet to be. */
export type Connection = Pick<Subscribing, "name" | "direction" | "told" | "subscriber">;

/** Runs what has the subscriber's server connect to the gateway. REGION_UNAVAILABLE when it cannot. */
export async function explainSubscribing(link: Connection, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = findReason(error);
    if (reason === undefined) throw error;
    throw new TenantryError("REGION_UNAVAILABLE", describe(link, reason), { cause: error });
  }
}

function describe({ direction }: Connection, reason: string): string {
  const [subscriber, setting] =
    direction === "catalog"
      ? ["Home's server", "TENANTRY_GATEWAY_HOME_ADDRESS or TENANTRY_GATEWAY_ADDRESS"]
      : ["The region's server", "TENANTRY_GATEWAY_ADDRESS"];
  return `${subscriber} cannot connect to Tenantry's gateway by ${setting}: ${reason}.`;
}

/** Undefined when it is not the connection from server to server that failed. */
function findReason(error: unknown): string | undefined {
  const state = sqlState(error);
  // Nothing else takes long: the server gave up waiting for the other one.
  if (state === SQL_STATE.queryCanceled) return "it does not answer";
  if (state?.startsWith("08") !== true) return undefined;
  return explainLibpq(error instanceof Error ? error.message : "");
}
