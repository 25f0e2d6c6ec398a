/**
 * Makes a subscriber's copy equal to the publisher's rows: missing rows are added, changed ones updated, extra
 * ones removed. Done between making the slot and making the subscription, so that the stream replays everything
 * since before the snapshot; replaying what the copy already has changes nothing in the end.
 *
 * Rows of a region go the way that the stream's rows go: into home's inbox, where the guard looks at each row. Only
 * rows that differ are written, as each passes the guard.
 */
import { TenantryError } from "#base/kernel/errors";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import type { DatabaseKind, Queryable, Transaction } from "#base/postgres/database";
import type { Link, PublishedTable } from "#engine/replication/link";
import {
  inTime,
  readBatches,
  SEED_BOUNDS,
  type SeedBounds,
  type SeedCount,
  type TextRow,
} from "#engine/replication/seed-rows";

/** Transaction-local, at home: the tenant database that the inbox's rows are of (engine/schema/home/0001_home.sql). */
export const CATALOG_SENDER_SETTING = "tenantry.catalog_sender";

// Values travel as text, so both sides must read and write them in the same way; and functions are PostgreSQL's own.
const PIN_SETTINGS = `set local search_path = pg_catalog, pg_temp; set local datestyle = 'ISO'; set local timezone = 'UTC';
  set local intervalstyle = 'postgres'; set local extra_float_digits = 1; set local bytea_output = 'hex'`;

/**
 * Seeds every table of the link. Blocks no writer of the publisher; the copy changes in one transaction. Throws
 * LIMIT_EXCEEDED for more than `bounds` allow, and REGION_UNAVAILABLE for answers that are no rows or take too long.
 */
export async function seed(link: Link, bounds: SeedBounds = SEED_BOUNDS): Promise<void> {
  const failed = Promise.withResolvers<never>();
  const stuck = Promise.withResolvers<never>();
  stuck.promise.catch(() => undefined);
  const begun = Promise.withResolvers<void>();
  const staged = Promise.withResolvers<void>();
  const seeded = link.publisher.database.transaction(async (source) => {
    await source.query("seed.settings", PIN_SETTINGS);
    // Inside of the other, so that it ends first: while home's transaction is open, no slot can be made there.
    const written = link.subscriber.database
      .transaction(async (transaction) => {
        const target = new Target(transaction, bounds, stuck.reject);
        begun.resolve();
        await target.query("seed.settings", PIN_SETTINGS);
        const count: SeedCount = { rows: 0, bytes: 0, startedAt: performance.now() };
        for (const table of link.tables) {
          const before = { ...count };
          await seedTable(new Stage(link, table, target), source, count, bounds);
          link.ledger.seeded(table.table, count.rows - before.rows, count.bytes - before.bytes);
        }
        staged.resolve();
      })
      .catch((error: unknown) => {
        failed.reject(error);
        throw error;
      });
    written.catch(() => undefined);
    const inSteps = async () => {
      await inTime(Promise.race([begun.promise, written]), bounds.answerMs);
      await Promise.race([staged.promise, written]);
      await inTime(written, bounds.writeMs);
    };
    // A subscriber in a region that has stopped answering must not keep home's transaction open.
    await (link.direction === "directory" ? Promise.race([inSteps(), stuck.promise]) : written);
  }, "repeatable read");
  // A publisher that has stopped answering does not answer the rollback either.
  await Promise.race([seeded, failed.promise]);
}

/** The subscriber's session. A server in a region may stop answering in any statement. */
class Target {
  readonly #transaction: Transaction<DatabaseKind>;
  readonly #bounds: SeedBounds;
  readonly #onLate: (error: unknown) => void;

  constructor(transaction: Transaction<DatabaseKind>, bounds: SeedBounds, onLate: (error: unknown) => void) {
    this.#transaction = transaction;
    this.#bounds = bounds;
    this.#onLate = onLate;
  }

  async query<Row extends object>(name: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const { answerMs, writeMs } = this.#bounds;
    const isLong = name === "seed.write" || name === "seed.remove" || name === "seed.analyze";
    try {
      return await inTime(this.#transaction.query<Row>(name, text, values), isLong ? writeMs : answerMs);
    } catch (error) {
      this.#onLate(error);
      throw error;
    }
  }
}

async function seedTable(
  stage: Stage,
  source: Queryable<DatabaseKind>,
  count: SeedCount,
  bounds: SeedBounds,
): Promise<void> {
  await stage.create();
  for await (const rows of readBatches(source, stage.table, stage.databaseId, count, bounds)) {
    const added = await stage.add(rows);
    // Else a publisher that sends the same rows again and again would keep it from ending.
    if (added === 0)
      throw new TenantryError("REGION_UNAVAILABLE", "the publisher's server sent no row that it had not sent before");
  }
  await stage.analyze();
  await (stage.isCatalog ? stage.convergeCatalog() : stage.converge());
}

/** The publisher's rows in a temporary table of the subscriber's session, and how the copy becomes equal to them. */
class Stage {
  readonly table: PublishedTable;
  readonly databaseId: number;
  readonly isCatalog: boolean;
  readonly #target: Target;
  /** With its schema: other temporary tables and the subscriber's own are others. */
  readonly #name: string;
  readonly #into: string;
  readonly #columns: readonly string[];
  readonly #key: readonly string[];

  constructor(link: Link, table: PublishedTable, target: Target) {
    this.table = table;
    this.databaseId = link.databaseId;
    this.isCatalog = link.direction === "catalog";
    this.#target = target;
    this.#name = `pg_temp.${quoteIdentifier(`seed_${table.table}`)}`;
    this.#into = quoteQualified(table.into);
    this.#columns = table.columns.map(quoteIdentifier);
    this.#key = table.key.map(quoteIdentifier);
  }

  async create(): Promise<void> {
    await this.#target.query(
      "seed.start",
      `create temp table ${this.#name} (like ${this.#into}, primary key (${this.#key.join(", ")})) on commit drop`,
    );
  }

  /** Adds rows, as rows of this link's database whatever they say, and returns how many were new. */
  async add(rows: readonly TextRow[]): Promise<number> {
    const objects = rows.map((row) =>
      Object.fromEntries(
        this.table.columns.map((column, at) => [
          column,
          column === "database_id" ? this.databaseId : (row[at] ?? null),
        ]),
      ),
    );
    const [row] = await this.#target.query<{ added: number }>(
      "seed.stage",
      `with added as (
         insert into ${this.#name} (${this.#columns.join(", ")}) ${this.isCatalog ? this.#fromText() : this.#fromTrusted()}
         on conflict do nothing returning 1
       )
       select count(*)::int as added from added`,
      [JSON.stringify(objects)],
    );
    return row?.added ?? 0;
  }

  /** A value that cannot be read is null, for the guard to refuse; without its key a row is none. */
  #fromText(): string {
    const read = this.#columns.map(
      (column) => `tenantry.read_as(sent.${column}, (null::${this.#into}).${column}) as ${column}`,
    );
    return `select * from (
        select ${read.join(", ")}
        from json_to_recordset($1::json) as sent (${this.#columns.map((column) => `${column} text`).join(", ")})
      ) as line where num_nulls(${this.#key.join(", ")}) = 0`;
  }

  #fromTrusted(): string {
    return `select ${this.#columns.join(", ")} from json_populate_recordset(null::${this.#into}, $1::json)`;
  }

  /** Nothing is known of a temporary table, and the joins that follow are to be linear. */
  async analyze(): Promise<void> {
    await this.#target.query("seed.analyze", `analyze ${this.#name}`);
  }

  async converge(): Promise<void> {
    await this.#remove(this.#into);
    const others = this.#others();
    await this.#target.query(
      "seed.write",
      `insert into ${this.#into} as t (${this.#columns.join(", ")}) select ${this.#columns.join(", ")} from ${this.#name}
       on conflict (${this.#key.join(", ")}) do update set ${others.map((column) => `${column} = excluded.${column}`).join(", ")}
       where (${of("t", others)}) is distinct from (${of("excluded", others)})`,
    );
  }

  /** By way of the inbox, whose guard writes the catalog. Its rows that were never sent are removed from the catalog itself. */
  async convergeCatalog(): Promise<void> {
    const catalog = quoteQualified(this.table.kept ?? this.table.from);
    await this.#target.query("seed.sender", "select set_config($1, $2, true)", [
      CATALOG_SENDER_SETTING,
      String(this.databaseId),
    ]);
    await this.#remove(this.#into);
    await this.#remove(catalog);
    const others = this.#others();
    const isKey = (alias: string) => this.#key.map((column) => `${alias}.${column} = s.${column}`).join(" and ");
    await this.#target.query(
      "seed.write",
      `insert into ${this.#into} (${this.#columns.join(", ")})
       select ${of("s", this.#columns)} from ${this.#name} s
       left join ${this.#into} i on ${isKey("i")}
       left join ${catalog} c on ${isKey("c")}
       where i.database_id is null or i.fault is not null or c.database_id is null
          or (${of("i", others)}) is distinct from (${of("s", others)})
          or (${of("c", others)}) is distinct from (${of("s", others)})`,
    );
  }

  async #remove(from: string): Promise<void> {
    await this.#target.query(
      "seed.remove",
      `delete from ${from} t where t.database_id = $1 and not exists (
         select from ${this.#name} s where ${this.#key.map((column) => `s.${column} = t.${column}`).join(" and ")})`,
      [this.databaseId],
    );
  }

  #others(): string[] {
    return this.table.columns.filter((column) => !this.table.key.includes(column)).map(quoteIdentifier);
  }
}

function of(alias: string, columns: readonly string[]): string {
  return columns.map((column) => `${alias}.${column}`).join(", ");
}
