/** Subscriptions by PostgreSQL's own statements: for superusers, a provider's role, and `pg_create_subscription`. */
import type { DatabaseKind } from "#postgres/database";
import { quoteIdentifier, quoteLiteral } from "#postgres/identifiers";
import { SQL_STATE, sqlState } from "#postgres/sql-state";
import { inPrivate, type PrivateSession } from "#postgres/statement-privacy";
import type { SubscriptionSpec, SubscriptionWay } from "#replication/subscription-way";

/** CREATE SUBSCRIPTION connects to the publisher from the subscriber's server; beyond this it gives up. */
export const CONNECT_TIMEOUT_MS = 10_000;

// With the default, `off`, what was applied counts as confirmed only when the subscriber's WAL writer has come round,
// some 200 ms later: every ticket would wait for that.
const SYNCHRONOUS_COMMIT = "synchronous_commit = 'local'";

export const plainStatements: SubscriptionWay = {
  prepare: () => Promise.resolve(),

  create: async (database, spec) => {
    try {
      await inPrivate(database, CONNECT_TIMEOUT_MS, (session) => create(session, spec));
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
    }
  },

  attempt: (database, spec) =>
    inPrivate(database, CONNECT_TIMEOUT_MS, async (session) => {
      // Where it fails, the connection is closed, which takes everything back too.
      await session.query("subscription.begin", "begin");
      await create(session, spec);
      await session.query("subscription.take_back", "rollback");
      return true;
    }),

  enable: async (database, name) => {
    await database.query("subscription.enable", `alter subscription ${quoteIdentifier(name)} enable`);
  },

  disable: async (database, name) => {
    await database.query("subscription.disable", `alter subscription ${quoteIdentifier(name)} disable`);
  },

  setConnection: (database, { name, connection }) =>
    inPrivate(database, CONNECT_TIMEOUT_MS, async (session) => {
      const quoted = quoteIdentifier(name);
      await session.runSecret(
        "subscription.connection",
        `alter subscription ${quoted} connection ${quoteLiteral(connection)}`,
      );
      await session.query("subscription.options", `alter subscription ${quoted} set (${SYNCHRONOUS_COMMIT})`);
    }),

  // Taking the slot off first keeps DROP from connecting to the publisher.
  drop: async (database, name) => {
    const quoted = quoteIdentifier(name);
    await database.query("subscription.disable", `alter subscription ${quoted} disable`);
    await database.query("subscription.detach", `alter subscription ${quoted} set (slot_name = none)`);
    await database.query("subscription.drop", `drop subscription if exists ${quoted}`);
  },
};

// The slot is never made by CREATE SUBSCRIPTION, which hangs when both sides are one server.
async function create(session: PrivateSession<DatabaseKind>, { name, connection }: SubscriptionSpec): Promise<void> {
  const quoted = quoteIdentifier(name);
  await session.runSecret(
    "subscription.create",
    `create subscription ${quoted} connection ${quoteLiteral(connection)} publication ${quoted}
     with (create_slot = false, slot_name = ${quoteLiteral(name)}, copy_data = false, enabled = false,
           ${SYNCHRONOUS_COMMIT})`,
  );
}
