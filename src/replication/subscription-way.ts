/** What a way to make subscriptions has to offer; `subscription-method.ts` chooses one. */
import type { Database, DatabaseKind } from "#postgres/database";

/** What a subscription is made of. It bears the name of its publication and of its slot, which are there. */
export type SubscriptionSpec = {
  name: string;
  /** libpq's; holds a password. */
  connection: string;
};

/** One way. Each function works on the subscription of that name in the given database. */
export type SubscriptionWay = {
  /** What making one takes in the database; can be done ahead. Does nothing where that is there. */
  prepare: (database: Database<DatabaseKind>) => Promise<void>;
  /**
   * Makes it, disabled, without a copy and without making the slot. Does nothing where there is one. Connects to the
   * publisher.
   */
  create: (database: Database<DatabaseKind>, spec: SubscriptionSpec) => Promise<void>;
  /** Makes it and takes it back, with which the server has connected to the publisher. False where it has not tried. */
  attempt: (database: Database<DatabaseKind>, spec: SubscriptionSpec) => Promise<boolean>;
  enable: (database: Database<DatabaseKind>, name: string) => Promise<void>;
  disable: (database: Database<DatabaseKind>, name: string) => Promise<void>;
  /** Changes what it connects with, and leaves it enabled or disabled as it was. */
  setConnection: (database: Database<DatabaseKind>, spec: SubscriptionSpec) => Promise<void>;
  /** Drops it, enabled or not, without its publisher and without touching its slot. */
  drop: (database: Database<DatabaseKind>, name: string) => Promise<void>;
};
