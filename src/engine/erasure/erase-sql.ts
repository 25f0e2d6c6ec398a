/** A team's own SQL of an erasure: what it does to its tables besides taking the person's id out of the declared columns. */
import { createHash } from "node:crypto";
import { inCall } from "#base/kernel/call";
import { TenantryError } from "#base/kernel/errors";
import type { DatabaseKind, Session } from "#base/postgres/database";
import type { OwnedPieces } from "#engine/regions/owned-pieces";

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
 * minute; else what PostgreSQL has thrown. `owned`: it runs as long as the region is this home's.
 */
export async function runEraseSql<Kind extends DatabaseKind>(
  session: Session<Kind>,
  { name, text }: EraseSql,
  userId: string,
  owned?: OwnedPieces,
): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new TenantryError("CONFLICT", `${name} took longer than ${DEADLINE_MS / 1000} s.`)),
    DEADLINE_MS,
  );
  try {
    await inCall({ signal: late.signal }, async () => {
      await session.query("erasure.begin", "begin");
      const [row] = await session.query<{ owned: boolean }>(
        "erasure.settings",
        `select set_config('tenantry.erased_user', $1, true), set_config('lock_timeout', $2, true),
                ${owned?.isOwned ?? "true"} as owned`,
        [userId, String(LOCK_TIMEOUT_MS)],
      );
      if (owned !== undefined && row?.owned !== true) await owned.refuse();
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
