/** Tables whose trigger `append_only` refuses to change and delete rows, whoever asks. */
import type { DatabaseKind, Transaction } from "#base/postgres/database";

/** Rows younger than this cannot be pruned: whoever did something cannot have it forgotten at once. */
export const MIN_AGE_DAYS = 30;

const LOCK_TIMEOUT_MS = 2_000;

/**
 * Does `work` in a transaction for which the triggers are lifted; for others they stay. It takes the tables' owner, and
 * writers of the tables wait for the end of the transaction. Throws the driver's errors, also when the tables cannot be
 * locked in time.
 */
export async function withoutAppendOnly<Kind extends DatabaseKind, Result>(
  transaction: Transaction<Kind>,
  tables: readonly string[],
  work: () => Promise<Result>,
): Promise<Result> {
  const each = async (change: string) => {
    for (const table of tables)
      await transaction.query("append_only.lift", `alter table tenantry.${table} ${change} trigger append_only`);
  };
  await transaction.query("append_only.lock_timeout", `set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await each("disable");
  const result = await work();
  await each("enable always");
  return result;
}
