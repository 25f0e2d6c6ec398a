/** Keeps what home numbers from being numbered twice when home has forgotten the last numbers that it gave. */
import { doubtReadyDatabases } from "#engine/home/ready-databases";
import type { HomeDatabase, Queryable, Transaction } from "#base/postgres/database";
import { readServerHistory } from "#base/postgres/server-history";

/** More than a server can have given between its last moment on a standby and its end; the numbers of placements have 24 bits. */
const SKIPPED = 1_000;

/**
 * Compares home's history with the one that it had. After a promotion, a recovery to an earlier moment or the restore of a dump,
 * tenant databases and ids of rows can exist that home has forgotten: their numbers are skipped, so that no new placement is
 * taken for theirs. `onForgotten` is part of the same transaction: for what else home may have forgotten.
 */
export async function noticeHomeHistory(
  home: HomeDatabase,
  onForgotten: (transaction: Transaction<"home">) => Promise<void>,
): Promise<void> {
  await home.transaction(async (transaction) => {
    const [known] = await transaction.query<{ history: string | null; copy: string }>(
      "installation.history",
      `select home_history as history,
              (select oid from pg_database where datname = current_database())
                || '.' || 'tenantry.installation'::regclass::oid as copy
       from tenantry.installation for update`,
    );
    const history = `${(await readServerHistory(transaction)).history}/${known?.copy ?? ""}`;
    if (known?.history === history) return;
    // A sequence goes on where it is set also when the transaction fails: then some more numbers are skipped.
    if (known?.history != null) {
      await skipNumbers(transaction);
      await onForgotten(transaction);
    }
    await transaction.query("installation.set_history", "update tenantry.installation set home_history = $1", [
      history,
    ]);
  });
}

/**
 * Skips the numbers that home may have given and forgotten. It may also have given away what it takes for ready: such a database is
 * looked into before it counts as ready again.
 */
export async function skipNumbers(home: Queryable<"home">, count = SKIPPED): Promise<void> {
  await home.query(
    "installation.skip_numbers",
    `select setval(format('%I.%I', schemaname, sequencename)::regclass,
                   least(coalesce(last_value, start_value) + $1, max_value))
     from pg_sequences
     where format('%I.%I', schemaname, sequencename)::regclass in (
       'tenantry.placement_numbers'::regclass,
       pg_get_serial_sequence('tenantry.tenant_databases', 'id')::regclass)`,
    [count],
  );
  await doubtReadyDatabases(home);
}
