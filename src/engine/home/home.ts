/** The home database: opened, brought to the latest schema, known by its installation id. */
import { explainConnectFailure, isKeptOut, negotiationHint } from "#engine/failures/connect-failure";
import { isOutOfService } from "#engine/failures/refusals";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { findUnreadableFile, parseDatabaseUrl, type ServerAddress } from "#base/postgres/connection-url";
import type { HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import { probeServer } from "#base/postgres/probe";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { whyHomeUnfit } from "#engine/servers/region-requirements";

export type HomeContext = {
  home: HomeDatabase;
  homeAddress: ServerAddress;
  homeDatabaseName: string;
  /** Which server home is on. */
  homeSystemIdentifier: string;
  /** The prefix of every name this installation gives on servers. */
  installation: string;
};

/** The job runner, replication and the listener share these; the API has its own. */
const MAX_HOME_CONNECTIONS = 24;

export type HomeMigrator = (home: HomeDatabase) => Promise<unknown>;

/** Opens home by DATABASE_URL. Throws one sentence when it cannot be reached or lacks something. */
export async function openHome(pools: Pools, databaseUrl: string, migrateHome: HomeMigrator): Promise<HomeContext> {
  const { address, database } = readUrl(databaseUrl, "DATABASE_URL");
  const unreadable = findUnreadableFile(address);
  if (unreadable !== undefined)
    throw invalidInput(
      "DATABASE_URL",
      `DATABASE_URL: the file that ${unreadable} names cannot be read here, or is not a regular file of at most 1 MB.`,
    );
  const home = pools.open("home", address, database, { maxConnections: MAX_HOME_CONNECTIONS });
  let homeSystemIdentifier: string;
  try {
    const probe = await probeServer(home);
    homeSystemIdentifier = probe.systemIdentifier;
    const obstacle = whyHomeUnfit(probe, database);
    if (obstacle !== undefined)
      throw new TenantryError("CAPABILITY_MISSING", `The home server will not do. ${obstacle}`);
  } catch (cause) {
    throw explain(cause, address, database);
  }
  await migrateHome(home);
  const [row] = await home.query<{ id: string }>("installation.id", "select id from tenantry.installation");
  if (row === undefined) throw new Error("home has no installation id");
  return {
    home,
    homeAddress: address,
    homeDatabaseName: database,
    homeSystemIdentifier,
    installation: row.id,
  };
}

/** The variable is named in the message: nothing else is shown when a program does not start. */
function readUrl(url: string, variable: string) {
  try {
    return parseDatabaseUrl(url, variable);
  } catch (error) {
    if (error instanceof TenantryError) throw invalidInput(variable, `${variable}: ${error.message}`);
    throw error;
  }
}

function explain(cause: unknown, address: ServerAddress, database: string): unknown {
  const where = `${address.host}:${address.port}`;
  const state = sqlState(cause);
  if (state === SQL_STATE.undefinedDatabase)
    return new TenantryError(
      "HOME_UNAVAILABLE",
      `The server at ${where} has no database ${database}: create it first.`,
      { cause },
    );
  const isRefused = state === SQL_STATE.invalidPassword || state === SQL_STATE.invalidAuthorization;
  if (isRefused && !isKeptOut(cause))
    return new TenantryError(
      "HOME_UNAVAILABLE",
      `The server at ${where} refused the user name or password of DATABASE_URL.`,
      { cause },
    );
  if (!isRefused && !isOutOfService(cause)) return cause;
  return new TenantryError(
    "HOME_UNAVAILABLE",
    `The home database at ${where} cannot be reached: ${explainConnectFailure(cause)}${negotiationHint(cause, address)}.`,
    { cause },
  );
}
