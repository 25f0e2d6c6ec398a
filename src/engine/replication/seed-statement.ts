/** The statement that makes a copy's rows of one range of keys equal to the rows that were sent. */
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import type { PublishedTable } from "#engine/replication/link";
import { DIGEST, restOfKey, takenLines } from "#engine/replication/seed-rows";

/**
 * `trusted`: home's own rows. `guarded`: a region's, which go into the inbox, whose guard writes the catalog. `guarded-as-text`:
 * the same where a value may be none of its column's type; it reads each value by itself, which takes several times longer.
 */
export type SeedStatement = "trusted" | "guarded" | "guarded-as-text";

/** Keys without the database's id: those behind `after`, up to `upTo`. Undefined: without a bound on this side. */
export type Range = { after: readonly string[] | undefined; upTo: readonly string[] | undefined };

/**
 * What the statement answers. `cut`: nothing was done, as the copy has many more rows in this range than a batch: make it equal up
 * to this key first, which is a smaller piece of work.
 */
export type SeedAnswer = { changed: boolean; cut: readonly string[] | null };

/**
 * `$1` is the database's id, `$2` the rows as JSON, an object each; `values` are the parameters from `$3` on. Gives a
 * {@link SeedAnswer}.
 */
export function seedStatement(
  table: PublishedTable,
  kind: SeedStatement,
  range: Range,
  batchRows: number,
): { text: string; values: string[] } {
  const parts = new Parts(table, range, batchRows);
  return { text: kind === "trusted" ? parts.trusted() : parts.guarded(kind), values: parts.values };
}

/**
 * Whether the copy's rows of a range are these: `$1` is the database's id, `$2` how many they are, `$3` their digest; `values` are
 * the parameters from `$4` on. A catalog has to have the rows that its inbox has.
 */
export function compareStatement(
  table: PublishedTable,
  { after, upTo }: { after: readonly string[]; upTo: readonly string[] },
  batchRows: number,
): { text: string; values: string[] } {
  const rest = restOfKey(table).map(quoteIdentifier);
  const place = (offset: number) => rest.map((_, index) => `$${offset + index}`).join(", ");
  const key = `(${of("r", rest)})`;
  const range = ` and ${key} > (${place(4)}) and ${key} <= (${place(4 + rest.length)})`;
  const columns = keptColumns(table);
  const isKept =
    table.kept === undefined
      ? "true"
      : `not exists (select from
           (select ${of("r", columns)} from ${quoteQualified(table.into)} r where r.database_id = $1${range} and not ${WAITS("r")}) i
           full join (${keptRows(table.kept, "r", columns, range)}) k on i.id = k.id
           where i.id is null or k.id is null or (${of("i", columns)}) is distinct from (${of("k", columns)}))`;
  // With one row more than a batch can have, there are too many.
  const text = `with ${takenLines(table, table.into, range, batchRows + 1)}
    select case when (select count(*) from line) = $2 and ${DIGEST} = $3 then ${isKept} else false end as "isEqual" from taken`;
  return { text, values: [...after, ...upTo] };
}

/** The columns of a table that its catalog has too. */
function keptColumns({ columns }: PublishedTable): string[] {
  return columns.filter((column) => column !== "database_id").map(quoteIdentifier);
}

/**
 * The rows of the catalog that are of the placements in this database, `$1`: the catalog does not say in which database a row is.
 * Each placement's rows come in the order of their keys.
 */
function keptRows(kept: string, row: string, columns: readonly string[], range: string, most?: number): string {
  const limit = most === undefined ? "" : ` order by ${row}.id limit ${most}`;
  return `select ${of("its", columns)} from tenantry.placements p cross join lateral (
      select ${of(row, columns)} from ${quoteQualified(kept)} ${row} where ${row}.placement_number = p.number${range}${limit}) its
    where p.database_id = $1`;
}

/**
 * Whether a row is of a placement that is on a move and not in this database, `$1`. It is in the inbox alone. Nearly always there
 * is no such placement, and then no id is looked into.
 */
const WAITS = (row: string) => `(exists (select from tenantry.moves m where m.other_database_id = $1)
    and coalesce(tenantry.placement_number_of(${row}.id) = any (array(
      select coalesce(a.number, p.number) from tenantry.moves m join tenantry.placements p on p.id = m.placement_id
      left join lateral (select a.number from tenantry.adopted_numbers a where a.placement_id = p.id union all select p.number) a on true
      where m.other_database_id = $1)), false))`;

/** Unless there is a cut. */
const GOES_ON = "(select cut from cut) is null";

class Parts {
  readonly values: string[] = [];
  readonly #into: string;
  readonly #kept: string | undefined;
  readonly #keptColumns: readonly string[];
  readonly #columns: readonly string[];
  readonly #key: readonly string[];
  readonly #others: readonly string[];
  readonly #bounds: string;
  readonly #range: string;
  readonly #cut: string;

  constructor(table: PublishedTable, { after, upTo }: Range, batchRows: number) {
    this.#into = quoteQualified(table.into);
    this.#kept = table.kept;
    this.#keptColumns = keptColumns(table);
    this.#columns = table.columns.map(quoteIdentifier);
    this.#key = table.key.map(quoteIdentifier);
    this.#others = table.columns.filter((column) => !table.key.includes(column)).map(quoteIdentifier);
    const key = restOfKey(table).map((column) => `t.${quoteIdentifier(column)}`);
    const bound = (sign: string, end: readonly string[] | undefined) =>
      end === undefined
        ? ""
        : ` and (${key.join(", ")}) ${sign} (${end.map((part) => `$${this.values.push(part) + 2}`).join(", ")})`;
    this.#bounds = `${bound(">", after)}${bound("<=", upTo)}`;
    this.#range = `t.database_id = $1${this.#bounds}`;
    const texts = key.map((column) => `${column}::text`).join(", ");
    const behind = (rows: number, from: string, selected = "") =>
      `select ${selected} from ${from} order by ${key.join(", ")} offset ${rows} limit 1`;
    const copies = [`${this.#into} t where ${this.#range}`];
    if (table.kept !== undefined)
      copies.push(`(${keptRows(table.kept, "t", ["id"], this.#bounds, 2 * batchRows + 1)}) t`);
    const cuts = copies.map(
      (from) => `select c.* from (${behind(batchRows, from, `array[${texts}] as cut`)}) c
        where exists (${behind(2 * batchRows, from)})`,
    );
    this.#cut = `cut as materialized (select min(cut) as cut from (${cuts.join(" union all ")}) c)`;
  }

  /** Only what differs is written: an insert that meets its row would lock that, also where it changes nothing. */
  trusted(): string {
    return `with ${this.#cut}, sent as materialized (
        ${this.#typed()} where ${GOES_ON}
      ), here as materialized (
        select ${of("t", this.#columns)} from ${this.#into} t where ${this.#range} and ${GOES_ON}
      ), gone as (
        delete from ${this.#into} t where ${this.#range} and ${GOES_ON} and not exists (select from sent s where ${this.#same("s", "t")})
        returning 1
      ), put as (
      insert into ${this.#into} as t (${this.#columns.join(", ")})
      select ${of("s", this.#columns)} from sent s left join here h on ${this.#same("h", "s")}
      where h.database_id is null or (${of("h", this.#others)}) is distinct from (${of("s", this.#others)})
      on conflict (${this.#key.join(", ")})
        do update set ${this.#others.map((column) => `${column} = excluded.${column}`).join(", ")}
      returning 1
      )
      select (select count(*) from gone) + (select count(*) from put) > 0 as changed, (select cut from cut) as cut`;
  }

  /**
   * What was never sent goes from the inbox, whose guard takes it out of the catalog; a row that the catalog alone has goes from
   * there. No statement may delete a row that a trigger of it deletes too.
   */
  guarded(kind: "guarded" | "guarded-as-text"): string {
    const kept = this.#kept ?? "";
    const others = this.#keptColumns.filter((column) => column !== quoteIdentifier("id"));
    return `with ${this.#cut}, sent as materialized (
        ${kind === "guarded" ? this.#typed() : this.#fromText()} where ${GOES_ON}
      ), here as materialized (
        select ${of("t", this.#columns)}, t.fault from ${this.#into} t where ${this.#range} and ${GOES_ON}
      ), kept as materialized (
        select k.* from (${keptRows(kept, "t", this.#keptColumns, this.#bounds)}) k where ${GOES_ON}
      ), gone as (
        delete from ${this.#into} t where ${this.#range} and ${GOES_ON} and not exists (select from sent s where ${this.#same("s", "t")})
        returning 1
      ), strays as (
        delete from ${quoteQualified(kept)} t where t.id = any (array(
          select k.id from kept k where not exists (select from sent s where s.id = k.id)
            and not exists (select from here h where h.id = k.id)))
        returning 1
      ), put as (
      insert into ${this.#into} (${this.#columns.join(", ")})
      select ${of("s", this.#columns)} from sent s
      left join here h on ${this.#same("h", "s")}
      left join kept k on k.id = s.id
      where h.database_id is null or h.fault is not null
         or (${of("h", this.#others)}) is distinct from (${of("s", this.#others)})
         or ((k.id is null or (${of("k", others)}) is distinct from (${of("s", others)})) and not ${WAITS("s")})
      returning 1
      )
      select (select count(*) from gone) + (select count(*) from strays) + (select count(*) from put) > 0 as changed,
        (select cut from cut) as cut`;
  }

  #typed(): string {
    return `select ${this.#columns.join(", ")} from json_populate_recordset(null::${this.#into}, $2::json)`;
  }

  /** A value that cannot be read is null, for the guard to refuse. */
  #fromText(): string {
    const read = this.#columns.map(
      (column) => `tenantry.read_as(l.${column}, (null::${this.#into}).${column}) as ${column}`,
    );
    const types = this.#columns.map((column) => `${column} text`);
    return `select ${read.join(", ")} from json_to_recordset($2::json) as l (${types.join(", ")})`;
  }

  #same(one: string, other: string): string {
    return this.#key.map((column) => `${one}.${column} = ${other}.${column}`).join(" and ");
  }
}

function of(alias: string, columns: readonly string[]): string {
  return columns.map((column) => `${alias}.${column}`).join(", ");
}
