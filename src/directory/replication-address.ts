/**
 * The other way to a server: how the subscriptions of another one reach it, where that is not how this program does. It may
 * lead through a network that the program is not in, so that it cannot be reached from here proves nothing against it.
 */
import { TenantryError } from "#kernel/errors";
import type { SecretBox } from "#kernel/secret-box";
import {
  findUnreadableFile,
  formatServerUrl,
  type ReplicationAddress,
  type ServerAddress,
} from "#postgres/connection-url";
import type { Pools } from "#postgres/pools";
import { isTlsFailure, SQL_STATE, sqlState } from "#postgres/sql-state";

/** What a region's replication URL is sealed for: not for what its connection URL is, so that one is not taken for the other. */
export function replicationSecretOf(regionId: string): string {
  return `${regionId} replication-url`;
}

/** What is stored of it: encrypted, and host and port for people to read. */
export function replicationColumns(secrets: SecretBox, regionId: string, address: ServerAddress | undefined) {
  if (address === undefined) return [null, null, null];
  return [secrets.seal(formatServerUrl(address), replicationSecretOf(regionId)), address.host, address.port];
}

/** How subscriptions reach a region's server. */
export function regionReachedAt(address: ServerAddress, replication: ServerAddress | undefined): ReplicationAddress {
  return replication === undefined
    ? { address, setting: "connectionUrl" }
    : { address: replication, setting: "replicationUrl" };
}

/**
 * Refuses an address that leads to another server, or to one that does not let us in. Where that cannot be found out from
 * here it is taken: whether the server that subscribes can connect is told by that server, when it does.
 */
export async function requireSameServerAt(
  pools: Pools,
  { address, setting }: ReplicationAddress,
  expected: { database: string; systemIdentifier: string },
): Promise<void> {
  // Its files may be on the subscribing server only.
  if (findUnreadableFile(address) !== undefined) return;
  let systemIdentifier: string | undefined;
  try {
    const [row] = await pools.once(address, expected.database, (connection) =>
      connection.query<{ id: string }>(
        "address.server",
        "select system_identifier::text as id from pg_control_system()",
      ),
    );
    systemIdentifier = row?.id;
  } catch (cause) {
    const refusal = findRefusal(cause, address);
    if (refusal === undefined) return;
    throw new TenantryError("REGION_UNAVAILABLE", `The server at ${where(address)} ${refusal} ${setting}.`, {
      field: setting,
      cause,
    });
  }
  if (systemIdentifier !== expected.systemIdentifier)
    throw new TenantryError(
      "CONFLICT",
      `Another server answers at ${where(address)}: ${setting} must lead to the same one by another way.`,
      { field: setting },
    );
}

/** Host and port, for messages. */
function where({ host, port }: ServerAddress): string {
  return `${host}:${port}`;
}

/** What the server said that is no question of networks; the setting's name ends the sentence. */
function findRefusal(error: unknown, { parameters }: ServerAddress): string | undefined {
  const state = sqlState(error);
  if (state === SQL_STATE.invalidPassword) return "refused the user name or the password of";
  if (state === SQL_STATE.undefinedDatabase) return "does not have the database that it should by";
  // What is trusted without a file is the subscribing server's to know.
  const rootFile = parameters.get("sslrootcert");
  const isKnown = rootFile !== undefined && rootFile !== "system";
  return isKnown && isTlsFailure(error) ? "has a certificate that does not pass by" : undefined;
}
