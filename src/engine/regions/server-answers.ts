/**
 * Good news: a server that could not be reached answers again. Whoever notices it tells every process, so that what waits for a
 * pause to end is tried at once.
 */
import { outsideCalls, withStatementTimeout } from "#base/kernel/call";
import type { HomeDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";

/** Channel on which home announces `host:port` of a server that answers again. */
export const SERVER_ANSWERS_CHANNEL = "tenantry_server_answers";

/** A server that comes and goes is announced once in this time. */
const PAUSE_MS = 1_000;
const STATEMENT_MS = 5_000;

/** Announces servers for as long as the process lives, and has jobs on their regions that failed run now. */
export function announceServers(
  { home, pools }: { home: HomeDatabase; pools: Pools },
  onError: (error: unknown) => void,
): void {
  const waiting = new Set<string>();
  pools.onAnswerAgain((server) => {
    if (waiting.has(server)) return;
    waiting.add(server);
    setTimeout(() => waiting.delete(server), PAUSE_MS).unref();
    // Whoever reached the server may be a caller whose call is over soon.
    outsideCalls(() => withStatementTimeout(STATEMENT_MS, () => announce(home, server))).catch(onError);
  });
}

async function announce(home: HomeDatabase, server: string): Promise<void> {
  await home.query(
    "servers.answer",
    // Those that failed only: what is due later for another reason has no error, or is due much later.
    `with due as (
       update tenantry.jobs j set due_at = now() from tenantry.regions r
       where r.id = j.region_id and r.host || ':' || r.port = $1
         and j.state = 'WAITING' and j.attempts > 0 and j.last_error is not null
         and j.due_at > now() and j.due_at < now() + interval '6 minutes'
       returning j.id
     )
     select pg_notify('${SERVER_ANSWERS_CHANNEL}', $1), (select count(*) from due)`,
    [server],
  );
}
