/** Asks a server what it is; when it cannot be reached, says why in words for people. */
import { TenantryError } from "#base/kernel/errors";
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Pools } from "#base/postgres/pools";
import { probeServer, type ServerProbe } from "#base/postgres/probe";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { explainConnectFailure, isKeptOut, negotiationHint } from "#engine/failures/connect-failure";

/** The database for what concerns the server as a whole; every server has it unless somebody dropped it. */
export const MAINTENANCE_DATABASE = "postgres";

/** Connects and probes. Throws REGION_UNAVAILABLE with the reason but no secret. */
export function probeAt(pools: Pools, address: ServerAddress): Promise<ServerProbe> {
  return explainingAbsence(address, () => pools.once(address, MAINTENANCE_DATABASE, probeServer));
}

/** The same for whatever connects to the server first. `field`: what the reason is about. */
export async function explainingAbsence<Result>(
  address: ServerAddress,
  connect: () => Promise<Result>,
  field?: string,
): Promise<Result> {
  const details = field === undefined ? {} : { field };
  try {
    return await connect();
  } catch (cause) {
    const state = sqlState(cause);
    const where = `${address.host}:${address.port}`;
    const isRefused = state === SQL_STATE.invalidPassword || state === SQL_STATE.invalidAuthorization;
    if (isRefused && !isKeptOut(cause))
      throw new TenantryError("REGION_UNAVAILABLE", `The server at ${where} refused the user name or the password.`, {
        ...details,
        cause,
      });
    const reason =
      state === SQL_STATE.undefinedDatabase
        ? `it has no database named ${MAINTENANCE_DATABASE}`
        : explainConnectFailure(cause);
    if (reason === undefined) throw cause;
    const hint = negotiationHint(cause, address);
    throw new TenantryError("REGION_UNAVAILABLE", `The server at ${where} cannot be reached: ${reason}${hint}.`, {
      ...details,
      cause,
    });
  }
}
