/**
 * The strategies by which subscriptions are made and changed, and which one a database takes. Home has its own and each
 * tenant database its own: what is asked is always the database that subscribes.
 */
import { TenantryError } from "#base/kernel/errors";
import type { Database, DatabaseKind } from "#base/postgres/database";
import { readSubscriptionMethod, type SubscriptionMethod } from "#base/postgres/probe";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { aivenExtras, hasAivenExtras } from "#engine/replication/aiven-extras";
import { plainStatements } from "#engine/replication/plain-statements";
import type { SubscriptionStrategy } from "#engine/replication/subscription-strategy";

/** By what the probe says. A method without a row does not compile. */
const STRATEGIES: Record<SubscriptionMethod, SubscriptionStrategy> = {
  SUPERUSER: plainStatements,
  PROVIDER_ROLE: plainStatements,
  PG_CREATE_SUBSCRIPTION: plainStatements,
  AIVEN_EXTRAS: aivenExtras,
};

// Per handle, of which there is another one when the address or the password changes.
const remembered = new WeakMap<Database<DatabaseKind>, SubscriptionStrategy>();

/**
 * Runs `work` with the strategy that the database takes. The role's rights may have changed since it was asked, and a
 * subscription may have been made with another strategy, before a provider upgraded its server: what is refused is
 * tried with the other. CAPABILITY_MISSING where no strategy holds.
 */
export async function withStrategy<Result>(
  database: Database<DatabaseKind>,
  work: (strategy: SubscriptionStrategy) => Promise<Result>,
): Promise<Result> {
  const first = remembered.get(database) ?? (await chooseStrategy(database));
  remembered.set(database, first);
  try {
    return await work(first);
  } catch (error) {
    if (sqlState(error) !== SQL_STATE.insufficientPrivilege) throw error;
    const now = await chooseStrategy(database);
    const other = now === first && (await hasAivenExtras(database)) ? aivenExtras : now;
    if (other === first) throw error;
    remembered.set(database, now);
    return work(other);
  }
}

/** Finds out ahead which strategy the database takes. */
export function learnStrategy(database: Database<DatabaseKind>): Promise<void> {
  return withStrategy(database, () => Promise.resolve());
}

/** Takes over what a probe of the database has said a moment ago. */
export function noteMethod(database: Database<DatabaseKind>, method: SubscriptionMethod): void {
  remembered.set(database, STRATEGIES[method]);
}

async function chooseStrategy(database: Database<DatabaseKind>): Promise<SubscriptionStrategy> {
  const method = await readSubscriptionMethod(database);
  if (method !== null) return STRATEGIES[method];
  throw new TenantryError(
    "CAPABILITY_MISSING",
    "The role that Tenantry signs in with may not create subscriptions there any more: `region check` says what to grant.",
  );
}
