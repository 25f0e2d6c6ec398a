/**
 * A connection to a server's walsender, handed over as a socket: the driver signs in, with TLS and passwords as everywhere,
 * and what is said afterwards is the caller's. The driver's insides are touched here (`connection.stream` and the listener
 * that parses it), so the driver is pinned to one version; test/integration/gateway.test.ts shows when that breaks.
 */
import type { Socket } from "node:net";
import type pg from "pg";
import { BoundedClient } from "#base/postgres/answer-bound";
import { connectTimeoutOf, sslNegotiationOf } from "#base/postgres/connection-parameters";
import { KEEP_ALIVE_AFTER_MS, livenessOptions } from "#base/postgres/dead-peers";
import { type ServerAddress, tlsOptions } from "#base/postgres/connection-url";
import { WALSENDER_OPTIONS } from "#base/postgres/pinned-settings";

const CONNECT_TIMEOUT_MS = 10_000;

/** The driver's types leave it out. */
type Inside = pg.Client & { connection: { stream: Socket } };

/**
 * Signs in for logical replication from this database. `encoding` is what the subscriber asked for. A subscriber that has said
 * nothing for `silentMs` is gone, and the server ends the stream; it asks after half of that. Rejects with the driver's errors.
 * Nothing is read from the socket until somebody listens to it.
 */
export async function openWalsender(
  address: ServerAddress,
  database: string,
  { encoding, silentMs }: { encoding: string; silentMs: number },
): Promise<Socket> {
  const client = new BoundedClient({
    host: address.host,
    port: address.port,
    user: address.user,
    password: address.password ?? "",
    database,
    ssl: tlsOptions(address),
    connectionTimeoutMillis: connectTimeoutOf(address.parameters) ?? CONNECT_TIMEOUT_MS,
    ...sslNegotiationOf(address.parameters),
    application_name: "tenantry gateway",
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    client_encoding: encoding,
    // How values are written must not depend on the settings of a database or a role.
    options: `${WALSENDER_OPTIONS} ${livenessOptions(address.host)} -c wal_sender_timeout=${silentMs}`,
    replication: "database",
  } as pg.ClientConfig) as Inside;
  // A connection that breaks later is the caller's to notice, at the socket.
  client.on("error", () => undefined);
  await client.connect();
  const { stream } = client.connection;
  stream.removeAllListeners("data");
  stream.pause();
  return stream;
}
