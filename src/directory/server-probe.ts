/** Asks a server what it is; when it cannot be reached, says why in words for people. */
import { TenantryError } from "#kernel/errors";
import type { ServerAddress } from "#postgres/connection-url";
import type { Pools } from "#postgres/pools";
import { probeServer, type ServerProbe } from "#postgres/probe";
import { isConnectionFailure, SQL_STATE, sqlState } from "#postgres/sql-state";

/** The database for what concerns the server as a whole; every server has it unless somebody dropped it. */
export const MAINTENANCE_DATABASE = "postgres";

/** Connects and probes. Throws REGION_UNAVAILABLE on `field`, with the reason but no secret. */
export async function probeAt(pools: Pools, address: ServerAddress, field?: string): Promise<ServerProbe> {
  const details = field === undefined ? {} : { field };
  try {
    return await pools.once(address, MAINTENANCE_DATABASE, probeServer);
  } catch (cause) {
    const state = sqlState(cause);
    const where = `${address.host}:${address.port}`;
    if (state === SQL_STATE.invalidPassword || state === SQL_STATE.invalidAuthorization)
      throw new TenantryError("REGION_UNAVAILABLE", `The server at ${where} refused the user name or the password.`, {
        ...details,
        cause,
      });
    if (isConnectionFailure(cause) || state !== undefined || isTlsFailure(cause))
      throw new TenantryError("REGION_UNAVAILABLE", `The server at ${where} cannot be reached: ${reason(cause)}.`, {
        ...details,
        cause,
      });
    throw cause;
  }
}

function isTlsFailure(error: unknown): boolean {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  return /CERT|SSL|TLS/.test(code) || (error instanceof Error && /SSL|TLS|certificate/i.test(error.message));
}

/** What went wrong, in words that cannot hold a secret: a code, or the driver's own fixed phrases. */
function reason(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const words: Record<string, string> = {
    ECONNREFUSED: "nothing listens there",
    ENOTFOUND: "there is no such host",
    EAI_AGAIN: "the host name could not be looked up",
    ETIMEDOUT: "it does not answer",
    "3D000": `it has no database named ${MAINTENANCE_DATABASE}`,
    "53300": "it has no connection free",
    "57P03": "it is starting up or shutting down",
  };
  if (words[code] !== undefined) return words[code];
  if (isTlsFailure(error)) return "the TLS connection failed; check sslmode and sslrootcert";
  if (error instanceof Error && /timeout/i.test(error.message)) return "it does not answer";
  return code === "" ? "the connection was lost" : `error ${code}`;
}
