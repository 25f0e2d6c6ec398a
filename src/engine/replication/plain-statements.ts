/** Subscriptions by PostgreSQL's own statements: for superusers, a provider's role, and `pg_create_subscription`. */
import type { Database, DatabaseKind } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral } from "#base/postgres/identifiers";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { inPrivate, type PrivateSession } from "#base/postgres/statement-privacy";
import {
  compareTables,
  findingSubscription,
  isWrongTables,
  requiringTables,
  tablesOf,
  type SubscriptionSpec,
  type SubscriptionStrategy,
  WrongTables,
} from "#engine/replication/subscription-strategy";

/** CREATE SUBSCRIPTION connects to the gateway from the subscriber's server; beyond this it gives up. */
export const CONNECT_TIMEOUT_MS = 10_000;

// With the default, `off`, what was applied counts as confirmed only when the subscriber's WAL writer has come round,
// some 200 ms later: every ticket would wait for that.
const SYNCHRONOUS_COMMIT = "synchronous_commit = 'local'";

export const plainStatements: SubscriptionStrategy = {
  prepare: () => Promise.resolve(),

  create: async (database, spec) => {
    try {
      await make(database, spec, "commit");
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.duplicateObject) throw error;
    }
  },

  attempt: (database, spec) => make(database, spec, "rollback"),

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
  drop: async (database, name, before) => {
    const quoted = quoteIdentifier(name);
    // One message, as the server may be far away, and one transaction.
    await database.query(
      "subscription.drop",
      `${before === undefined ? "" : `${before};`} do $drop$ begin
         if exists (${findingSubscription(name)}) then
           alter subscription ${quoted} disable;
           alter subscription ${quoted} set (slot_name = none);
           drop subscription ${quoted};
         end if;
       end $drop$`,
    );
  },
};

/**
 * Makes the subscription, looks at which tables it takes, and hands it over, in one transaction: there is no moment at
 * which one with other tables, or of another owner, could be enabled. Where something fails the session is closed, which
 * takes everything back.
 */
function make(database: Database<DatabaseKind>, spec: SubscriptionSpec, end: "commit" | "rollback"): Promise<void> {
  return inPrivate(database, CONNECT_TIMEOUT_MS, async (session) => {
    const { owner } = spec;
    if (owner === undefined) return makeAtOnce(session, spec, end);
    const ownership = await readOwnership(session);
    const after = tablesOf(spec.name);
    const text = creating(spec, ownership.hasRunAsOwner);
    compareTables(spec, await session.runSecret("subscription.create", text, { before: "begin", after }));
    if (ownership.mayHandOver) await handOver(session, spec.name, owner, ownership.hasRunAsOwner);
    session.endWith(end);
  });
}

/** The same in one message, as the server may be far away: it compares by itself. */
async function makeAtOnce(
  session: PrivateSession<DatabaseKind>,
  spec: SubscriptionSpec,
  end: "commit" | "rollback",
): Promise<void> {
  try {
    const around = { before: "begin", after: requiringTables(spec), end };
    await session.runSecret("subscription.create", creating(spec, false), around);
  } catch (error) {
    throw isWrongTables(error) ? new WrongTables() : error;
  }
}

// The slot is never made by CREATE SUBSCRIPTION, which hangs when both sides are one server. Nothing is streamed before its
// transaction is whole: what is carried is small, and what is sent can still be refused as a whole.
function creating({ name, connection }: SubscriptionSpec, runsAsOwner: boolean): string {
  const quoted = quoteIdentifier(name);
  return `create subscription ${quoted} connection ${quoteLiteral(connection)} publication ${quoted}
     with (create_slot = false, slot_name = ${quoteLiteral(name)}, copy_data = false, enabled = false,
           streaming = off, ${runsAsOwner ? "run_as_owner = true, " : ""}${SYNCHRONOUS_COMMIT})`;
}

type Ownership = {
  /** From 16 on a subscription says whether it runs as its owner. Before, it always does. */
  hasRunAsOwner: boolean;
  mayHandOver: boolean;
};

/**
 * On 15 only a superuser can give a subscription away. A provider's role there keeps it: its list of tables and home's
 * triggers bound what it may write, as with aiven_extras.
 */
async function readOwnership(session: PrivateSession<DatabaseKind>): Promise<Ownership> {
  const [row] = await session.query<Ownership>(
    "subscription.ownership",
    `select v.is_16 as "hasRunAsOwner", v.is_16 or r.rolsuper as "mayHandOver"
     from (select current_setting('server_version_num')::int >= 160000 as is_16) v, pg_roles r
     where r.rolname = current_user`,
  );
  return row ?? { hasRunAsOwner: false, mayHandOver: false };
}

/** One at a time on a server: each changes the same role for a moment. */
const HAND_OVER_LOCK = 5_402_311;

/**
 * Gives the subscription to a role that may write nothing but its tables. 15 lets superusers own subscriptions only, and
 * asks that when one is given: there the role is one until the end of the statement after it, in this transaction, which
 * nobody else sees.
 */
async function handOver(
  session: PrivateSession<DatabaseKind>,
  name: string,
  owner: string,
  isPlain: boolean,
): Promise<void> {
  const role = quoteIdentifier(owner);
  const give = `alter subscription ${quoteIdentifier(name)} owner to ${role}`;
  if (isPlain) {
    await session.query("subscription.owner", give);
    return;
  }
  await session.query("subscription.owner_lock", `select pg_advisory_xact_lock(${HAND_OVER_LOCK})`);
  await session.query("subscription.owner_raise", `alter role ${role} superuser`);
  await session.query("subscription.owner", give);
  await session.query("subscription.owner_lower", `alter role ${role} nosuperuser`);
}
