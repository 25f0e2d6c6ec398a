/** Connection poolers in front of home and of regions' servers, by which the API may reach them: docs/how-to/pooler.md. */
import { type AdministeredServer, type ApiRole, ensureApiRole } from "#engine/regions/api-role";
import { invalidInput } from "#base/kernel/errors";
import { findUnreadableFile, type PoolerAddress } from "#base/postgres/connection-url";
import { type PoolerProbe, probePooler } from "#base/postgres/pooler-probe";
import type { Pools } from "#base/postgres/pools";
import { isConnectionFailure, SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { connectReason } from "#engine/failures/connect-failure";

type Context = { pools: Pools; apiRole: ApiRole };

/** A pooler as it was found. */
export type PoolerCheck = {
  host: string;
  port: number;
  /** Whether statements are prepared there, by its URL. */
  preparedStatements: boolean;
  /** Whether the pooler can carry them; null when it was not reached. */
  carriesPreparedStatements: boolean | null;
  /** What keeps the API from using it, in one sentence; null: nothing. */
  obstacle: string | null;
};

/**
 * Signs in at the pooler as the API does, which makes the API's role at the server where it is missing, and looks whether the
 * right server answers: the one that says it is `answering`, where home knows it by an older identifier. A pooler that will not do is told by `obstacle`; throws only what is wrong with the server itself.
 */
export async function checkPooler(
  { pools, apiRole }: Context,
  pooler: PoolerAddress,
  at: AdministeredServer,
  answering = at.systemIdentifier,
): Promise<PoolerCheck> {
  await ensureApiRole(pools, apiRole, at);
  const { preparedStatements, ...address } = pooler;
  const { host, port } = address;
  const found = { host, port, preparedStatements, carriesPreparedStatements: null };
  const unreadable = findUnreadableFile(pooler);
  if (unreadable !== undefined) {
    const obstacle = `The file that ${unreadable} of the pooler's URL names cannot be read where Tenantry runs, or is not a regular file of at most 1 MB.`;
    return { ...found, obstacle };
  }
  let probe: PoolerProbe;
  try {
    probe = await probePooler(pools, { ...apiRole.on(at.address, at.systemIdentifier), ...address }, at.database);
  } catch (error) {
    return { ...found, obstacle: `The pooler at ${host}:${port} ${explain(error, apiRole.name, at.database)}.` };
  }
  const { carriesPreparedStatements } = probe;
  return { ...found, carriesPreparedStatements, obstacle: whyPoolerUnfit(pooler, probe, answering) ?? null };
}

/** The same where the pooler was just given. Throws INVALID_INPUT on `field` when it will not do. */
export async function requirePooler(
  context: Context,
  pooler: PoolerAddress,
  at: AdministeredServer,
  field: string,
  answering = at.systemIdentifier,
): Promise<void> {
  const { obstacle } = await checkPooler(context, pooler, at, answering);
  if (obstacle !== null) throw invalidInput(field, obstacle);
}

function whyPoolerUnfit(pooler: PoolerAddress, probe: PoolerProbe, systemIdentifier: string): string | undefined {
  const where = `The pooler at ${pooler.host}:${pooler.port}`;
  if (probe.systemIdentifier !== systemIdentifier) return `${where} leads to another server.`;
  if (pooler.preparedStatements && !probe.carriesPreparedStatements)
    return `${where} does not carry prepared statements, which its URL says: leave prepared_statements=true out, or use PgBouncer 1.21 or newer with max_prepared_statements.`;
  return undefined;
}

/** What went wrong, as the end of a sentence. PgBouncer has one code for most, so its English words are looked at too. */
function explain(error: unknown, role: string, database: string): string {
  if (!(error instanceof Error)) return "gave an unknown error";
  const code = "code" in error ? String(error.code) : "";
  const state = sqlState(error);
  if (state === SQL_STATE.undefinedDatabase || /no such database/i.test(error.message))
    return `knows no database ${database}: it needs an entry for all databases, which is named *`;
  if (
    state === SQL_STATE.invalidPassword ||
    state === SQL_STATE.invalidAuthorization ||
    /authentication failed|no such user|cannot do SCRAM|password/i.test(error.message)
  )
    return `does not let in the role ${role}, which the API signs in with: its auth_query or auth_file has to know it`;
  if (/transaction blocks not allowed/i.test(error.message)) return "must have the pool mode transaction or session";
  if (/SSL|TLS|certificate/i.test(`${code} ${error.message}`))
    return "and we did not agree on TLS: check sslmode and sslrootcert";
  // Without a code the connection was there, and was ended.
  const reason = code === "" && !/timeout/i.test(error.message) ? undefined : connectReason(error);
  if (reason !== undefined) return `cannot be reached: ${reason}`;
  if (isConnectionFailure(error)) return "ended the connection: its log says why";
  return code === "" ? "answered with an error: its log says why" : `answered with error ${code}`;
}
