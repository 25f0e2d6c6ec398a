/** Subscriptions by PostgreSQL's own statements: for superusers, a provider's role, and `pg_create_subscription`. */
import type { DatabaseKind, Session } from "#postgres/database";
import { quoteIdentifier, quoteLiteral } from "#postgres/identifiers";
import { SQL_STATE, sqlState } from "#postgres/sql-state";
import type { SubscriptionSpec, SubscriptionWay } from "#replication/subscription-way";

/** CREATE SUBSCRIPTION connects to the publisher from the subscriber's server; beyond this it gives up. */
export const CONNECT_TIMEOUT_MS = 10_000;

// With the default, `off`, what was applied counts as confirmed only when the subscriber's WAL writer has come round,
// some 200 ms later: every ticket would wait for that.
const SYNCHRONOUS_COMMIT = "synchronous_commit = 'local'";

export const plainStatements: SubscriptionWay = {
  prepare: () => Promise.resolve(),

  create: (database, spec) =>
    database.session(async (session) => {
      await session.query("subscription.timeout", `set statement_timeout = ${CONNECT_TIMEOUT_MS}`);
      await keepOutOfServerLog(session);
      try {
        await create(session, spec);
      } catch (error) {
        if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
      }
      await session.query("subscription.timeout", "reset statement_timeout");
      await logStatementsAgain(session);
    }),

  attempt: (database, spec) =>
    database.session(async (session) => {
      // Where it fails, the connection is closed, which takes everything back too.
      await session.query("subscription.begin", "begin");
      await session.query("subscription.timeout", `set local statement_timeout = ${CONNECT_TIMEOUT_MS}`);
      await keepOutOfServerLog(session);
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
    database.session(async (session) => {
      const quoted = quoteIdentifier(name);
      await keepOutOfServerLog(session);
      await session.query(
        "subscription.connection",
        `alter subscription ${quoted} connection ${quoteLiteral(connection)}`,
      );
      await session.query("subscription.options", `alter subscription ${quoted} set (${SYNCHRONOUS_COMMIT})`);
      await logStatementsAgain(session);
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
async function create(session: Session<DatabaseKind>, { name, connection }: SubscriptionSpec): Promise<void> {
  const quoted = quoteIdentifier(name);
  await session.query(
    "subscription.create",
    `create subscription ${quoted} connection ${quoteLiteral(connection)} publication ${quoted}
     with (create_slot = false, slot_name = ${quoteLiteral(name)}, copy_data = false, enabled = false,
           ${SYNCHRONOUS_COMMIT})`,
  );
}

/** The server logs a failing statement's text, here with a password in it. Only a superuser may turn that off. */
async function keepOutOfServerLog(session: Session<DatabaseKind>): Promise<void> {
  await session.query(
    "subscription.log",
    `select set_config('log_min_error_statement', 'panic', false)
     from pg_roles where rolname = current_user and rolsuper`,
  );
}

// Not a plain reset, which a role that may not set it may not do either.
async function logStatementsAgain(session: Session<DatabaseKind>): Promise<void> {
  await session.query(
    "subscription.log",
    `select set_config(s.name, s.reset_val, false)
     from pg_settings s, pg_roles r
     where s.name = 'log_min_error_statement' and r.rolname = current_user and r.rolsuper`,
  );
}
