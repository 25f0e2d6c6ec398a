/** A team's own SQL of an erasure: what it does to its tables besides taking the person's id out of the declared columns. */
import { createHash } from "node:crypto";
import { inCall } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Session } from "#base/postgres/database";

export type EraseSql = {
  /** How messages call it. */
  readonly name: string;
  readonly text: string;
  /** SHA-256 of the text: jobs say with which one they have run. */
  readonly checksum: string;
};

/** From its text. */
export function readEraseSql(name: string, text: string): EraseSql {
  return { name, text, checksum: createHash("sha256").update(text).digest("hex") };
}

/** What it is called on the server, in front of its text. */
export const ERASE_SQL_STATEMENT = "erasure.team";

const DEADLINE_MS = 60_000;
/** Others' writes queue up behind a lock that it waits for. */
const LOCK_TIMEOUT_MS = 5_000;

/**
 * Runs it for one person, whose id `tenantry.erased_user()` gives, in one transaction of its own. The session may be left with
 * other settings: it is not to be used for anything else. CONFLICT when the text ends the transaction, or takes longer than a
 * minute; else what PostgreSQL has thrown.
 */
export async function runEraseSql<Kind extends DatabaseKind>(
  session: Session<Kind>,
  { name, text }: EraseSql,
  userId: string,
): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new TenantryError("CONFLICT", `${name} took longer than ${DEADLINE_MS / 1000} s.`)),
    DEADLINE_MS,
  );
  try {
    await inCall({ signal: late.signal }, async () => {
      await session.query("erasure.begin", "begin");
      await session.query(
        "erasure.settings",
        "select set_config('tenantry.erased_user', $1, true), set_config('lock_timeout', $2, true)",
        [userId, String(LOCK_TIMEOUT_MS)],
      );
      const transaction = await readTransaction(session);
      await session.script(ERASE_SQL_STATEMENT, text);
      if ((await readTransaction(session)) !== transaction)
        throw new TenantryError("CONFLICT", `${name} ends its transaction: leave out begin, commit and rollback.`);
      await session.query("erasure.commit", "commit");
    });
  } finally {
    clearTimeout(timer);
  }
}

async function readTransaction(session: Session<DatabaseKind>): Promise<string | undefined> {
  const [row] = await session.query<{ id: string }>("erasure.transaction", "select pg_current_xact_id()::text as id");
  return row?.id;
}
