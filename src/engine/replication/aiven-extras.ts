/**
 * Subscriptions by the extension `aiven_extras`, with which Aiven, DigitalOcean and UpCloud let their users make some. Its
 * functions run as the superuser, who then owns the subscription: what they do not offer cannot be done, and that is its
 * connection string, `synchronous_commit` and the rest of its options. It cannot be given to another owner either: what it may
 * write at home is bounded by its list of tables and by home's triggers, not by its owner's rights.
 */
import type { Database, DatabaseKind, Queryable } from "#base/postgres/database";
import { PIN_TRANSACTION } from "#base/postgres/pinned-settings";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { inPrivate } from "#base/postgres/statement-privacy";
import { CONNECT_TIMEOUT_MS } from "#engine/replication/plain-statements";
import {
  findingSubscription,
  requireTables,
  type SubscriptionSpec,
  type SubscriptionStrategy,
} from "#engine/replication/subscription-strategy";

export const aivenExtras: SubscriptionStrategy = {
  prepare: ensureExtension,

  create: async (database, spec) => {
    await ensureExtension(database);
    try {
      await inPrivateTransaction(database, async (session) => {
        await create(session, spec);
        await disable(session, spec.name);
        await requireTables(session, spec);
      });
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
    }
  },

  attempt: (database, spec) =>
    inPrivate(database, CONNECT_TIMEOUT_MS, async (session) => {
      // Where it fails, the connection is closed, which takes everything back too: also the extension that was made for it.
      await session.query("subscription.begin", "begin");
      await createExtension(session);
      await create(session, spec);
      await requireTables(session, spec);
      await session.query("subscription.take_back", "rollback");
    }),

  enable: async (database, name) => {
    await database.query("subscription.enable", "select aiven_extras.pg_alter_subscription_enable($1)", [name]);
  },

  disable,

  /**
   * By another one on the same slot, in one transaction: where it fails, the old one stays. The new one does not know how far
   * the old one was, so what had not been confirmed yet is applied once more, which changes nothing in the end.
   */
  setConnection: async (database, spec) => {
    await inPrivateTransaction(database, async (session) => {
      const [before] = await session.query<{ enabled: boolean }>(
        "subscription.state",
        `select subenabled as enabled from pg_subscription
         where subname = $1 and subdbid = (select oid from pg_database where datname = current_database())`,
        [spec.name],
      );
      if (before !== undefined) await drop(session, spec.name);
      await create(session, spec);
      await requireTables(session, spec);
      if (before?.enabled !== true) await disable(session, spec.name);
    });
  },

  drop: async (database, name, before) => {
    if (before !== undefined) await database.query("subscription.before", before);
    await drop(database, name);
  },
};

/** Whether the database has the extension. */
export async function hasAivenExtras(database: Database<DatabaseKind>): Promise<boolean> {
  const rows = await database.query("extension.find", "select from pg_extension where extname = 'aiven_extras'");
  return rows.length > 0;
}

async function ensureExtension(database: Database<DatabaseKind>): Promise<void> {
  if (await hasAivenExtras(database)) return;
  try {
    await database.transaction(createExtension);
  } catch (error) {
    // Two at once: the one that comes second fails in one of several ways.
    if (!(await hasAivenExtras(database))) throw error;
  }
}

/**
 * With `cascade`, as it can need another one (dblink). That one goes into the first schema of the search path, which must
 * not be PostgreSQL's own: no program may make types there.
 */
async function createExtension(transaction: Queryable<DatabaseKind>): Promise<void> {
  await transaction.query("extension.schema", "set local search_path = public");
  await transaction.query("extension.create", "create extension if not exists aiven_extras cascade");
  await transaction.query("extension.path", PIN_TRANSACTION);
}

// Without `slot_create`: inside of a transaction that writes that would wait for itself, and leave the slot behind.
async function create(transaction: Queryable<DatabaseKind>, { name, connection }: SubscriptionSpec): Promise<void> {
  await transaction.query(
    "subscription.create",
    "select aiven_extras.pg_create_subscription($1, $2, $1, $1, false, false)",
    [name, connection],
  );
}

/** The connection string is a parameter, which a server that logs statements logs too. */
function inPrivateTransaction(
  database: Database<DatabaseKind>,
  work: (session: Queryable<DatabaseKind>) => Promise<void>,
): Promise<void> {
  return inPrivate(database, CONNECT_TIMEOUT_MS, async (session) => {
    // Where something fails, the connection is closed, which rolls back.
    await session.query("subscription.begin", "begin");
    await work(session);
    await session.query("subscription.commit", "commit");
  });
}

async function disable(database: Queryable<DatabaseKind>, name: string): Promise<void> {
  await database.query("subscription.disable", "select aiven_extras.pg_alter_subscription_disable($1)", [name]);
}

async function drop(database: Queryable<DatabaseKind>, name: string): Promise<void> {
  // Where it is there: the function refuses a name that is none.
  await database.query(
    "subscription.drop",
    `select aiven_extras.pg_drop_subscription($1, false) where exists (${findingSubscription(name)})`,
    [name],
  );
}
