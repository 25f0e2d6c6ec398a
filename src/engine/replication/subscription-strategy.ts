/** What a strategy to make subscriptions has to offer; `choose-subscription-strategy.ts` chooses one. */
import { TenantryError } from "#base/kernel/errors";
import type { Database, DatabaseKind, Queryable } from "#base/postgres/database";
import { quoteLiteral } from "#base/postgres/identifiers";
import { sqlState } from "#base/postgres/sql-state";

/** What a subscription is made of. It bears the name of its publication and of its slot, which are there. */
export type SubscriptionSpec = {
  name: string;
  /** libpq's; holds a password, which is good for one stream of the gateway. */
  connection: string;
  /** The tables that the subscription must have once it is made, and no others, as `schema.table`. */
  tables: readonly string[];
  /** The role that is to own it, where the strategy can hand it over; undefined: whoever makes it. */
  owner: string | undefined;
};

/** One strategy. Each function works on the subscription of that name in the given database. */
export type SubscriptionStrategy = {
  /** What making one takes in the database; can be done ahead. Does nothing where that is there. */
  prepare: (database: Database<DatabaseKind>) => Promise<void>;
  /**
   * Makes it, disabled, without a copy and without making the slot. Does nothing where there is one. Connects to the
   * gateway. Throws {@link WrongTables} and leaves nothing where the subscription would have other tables.
   */
  create: (database: Database<DatabaseKind>, spec: SubscriptionSpec) => Promise<void>;
  /** Makes it and takes it back, with all that making it takes. The server has connected to the gateway then. */
  attempt: (database: Database<DatabaseKind>, spec: SubscriptionSpec) => Promise<void>;
  enable: (database: Database<DatabaseKind>, name: string) => Promise<void>;
  disable: (database: Database<DatabaseKind>, name: string) => Promise<void>;
  /** Changes what it connects with, and leaves it enabled or disabled as it was. */
  setConnection: (database: Database<DatabaseKind>, spec: SubscriptionSpec) => Promise<void>;
  /** Drops it where it is there, enabled or not, without its publisher and without touching its slot. `before`: statements to run first. */
  drop: (database: Database<DatabaseKind>, name: string, before?: string) => Promise<void>;
};

/**
 * The subscription would take other tables than its link lists. A subscriber asks the other side which there are, so this
 * is looked at where it counts: in the subscriber's own catalog.
 */
export class WrongTables extends TenantryError {
  constructor() {
    super("CONFLICT", "The subscription took other tables than its link lists, and was not enabled.");
  }
}

/** Compares what the subscription of this name takes with what it should. Throws {@link WrongTables}. */
export async function requireTables(
  database: Queryable<DatabaseKind>,
  spec: Pick<SubscriptionSpec, "name" | "tables">,
): Promise<void> {
  compareTables(spec, await database.query("subscription.tables", TABLES_OF, [spec.name]));
}

/** The same where the answer to {@link tablesOf} is known. */
export function compareTables({ tables }: Pick<SubscriptionSpec, "tables">, rows: readonly object[]): void {
  const wanted = new Set(tables);
  const isWanted = (row: object) => "table" in row && typeof row.table === "string" && wanted.has(row.table);
  if (rows.length !== wanted.size || !rows.every(isWanted)) throw new WrongTables();
}

/** A query of the tables that the subscription takes, to go in one message with others. */
export function tablesOf(name: string): string {
  return TABLES_OF.replace("$1", () => quoteLiteral(name));
}

/** No state of PostgreSQL's own. */
const WRONG_TABLES = "TNWT1";

/** {@link requireTables} as a statement, to go in one message with others. */
export function requiringTables({ name, tables }: Pick<SubscriptionSpec, "name" | "tables">): string {
  const wanted = tables.map((table) => quoteLiteral(table)).join(", ");
  return `do $wanted$ begin
    if array(select t."table" collate "C" from (${tablesOf(name)}) t order by 1)
       is distinct from array(select w collate "C" from unnest(array[${wanted}]::text[]) w order by 1) then
      raise exception using errcode = '${WRONG_TABLES}', message = 'the subscription took other tables';
    end if;
  end $wanted$`;
}

/** Whether it is what {@link requiringTables} throws. */
export function isWrongTables(error: unknown): boolean {
  return sqlState(error) === WRONG_TABLES;
}

/** Finds one of the database that is asked, as an inner query. */
export function findingSubscription(name: string): string {
  return `select from pg_catalog.pg_subscription where subname = ${quoteLiteral(name)}
    and subdbid = (select oid from pg_catalog.pg_database where datname = current_database())`;
}

/** The tables of a subscription, `$1`, in the database that is asked. */
const TABLES_OF = `select n.nspname || '.' || c.relname as "table"
  from pg_catalog.pg_subscription s
  join pg_catalog.pg_subscription_rel r on r.srsubid = s.oid
  join pg_catalog.pg_class c on c.oid = r.srrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where s.subname = $1
    and s.subdbid = (select oid from pg_catalog.pg_database where datname = current_database())`;
