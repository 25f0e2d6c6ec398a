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
  const columns = table.columns.map(quoteIdentifier);
  const rowsOf = (copy: string) =>
    `(select ${of("r", columns)} from ${quoteQualified(copy)} r where r.database_id = $1${range})`;
  const isKept =
    table.kept === undefined
      ? "true"
      : `not exists (select from ${rowsOf(table.into)} i full join ${rowsOf(table.kept)} k
           on ${table.key.map((column) => `i.${quoteIdentifier(column)} = k.${quoteIdentifier(column)}`).join(" and ")}
           where i.database_id is null or k.database_id is null or (${of("i", columns)}) is distinct from (${of("k", columns)}))`;
  // With one row more than a batch can have, there are too many.
  const text = `with ${takenLines(table, table.into, range, batchRows + 1)}
    select case when (select count(*) from line) = $2 and ${DIGEST} = $3 then ${isKept} else false end as "isEqual" from taken`;
  return { text, values: [...after, ...upTo] };
}

/** Unless there is a cut. */
const GOES_ON = "(select cut from cut) is null";

class Parts {
  readonly values: string[] = [];
  readonly #into: string;
  readonly #kept: string;
  readonly #columns: readonly string[];
  readonly #key: readonly string[];
  readonly #others: readonly string[];
  readonly #range: string;
  readonly #cut: string;

  constructor(table: PublishedTable, { after, upTo }: Range, batchRows: number) {
    this.#into = quoteQualified(table.into);
    this.#kept = quoteQualified(table.kept ?? table.into);
    this.#columns = table.columns.map(quoteIdentifier);
    this.#key = table.key.map(quoteIdentifier);
    this.#others = table.columns.filter((column) => !table.key.includes(column)).map(quoteIdentifier);
    const key = restOfKey(table).map((column) => `t.${quoteIdentifier(column)}`);
    const bound = (sign: string, end: readonly string[] | undefined) =>
      end === undefined
        ? ""
        : ` and (${key.join(", ")}) ${sign} (${end.map((part) => `$${this.values.push(part) + 2}`).join(", ")})`;
    this.#range = `t.database_id = $1${bound(">", after)}${bound("<=", upTo)}`;
    const texts = key.map((column) => `${column}::text`).join(", ");
    const behind = (rows: number, copy: string, selected = "") =>
      `select ${selected} from ${copy} t where ${this.#range} order by ${key.join(", ")} offset ${rows} limit 1`;
    const cuts = [...new Set([this.#into, this.#kept])].map(
      (copy) => `select c.* from (${behind(batchRows, copy, `array[${texts}] as cut`)}) c
        where exists (${behind(2 * batchRows, copy)})`,
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
    return `with ${this.#cut}, sent as materialized (
        ${kind === "guarded" ? this.#typed() : this.#fromText()} where ${GOES_ON}
      ), here as materialized (
        select ${of("t", this.#columns)}, t.fault from ${this.#into} t where ${this.#range} and ${GOES_ON}
      ), kept as materialized (
        select ${of("t", this.#columns)} from ${this.#kept} t where ${this.#range} and ${GOES_ON}
      ), gone as (
        delete from ${this.#into} t where ${this.#range} and ${GOES_ON} and not exists (select from sent s where ${this.#same("s", "t")})
        returning 1
      ), strays as (
        delete from ${this.#kept} t where ${this.#range} and ${GOES_ON}
          and not exists (select from sent s where ${this.#same("s", "t")})
          and not exists (select from here h where ${this.#same("h", "t")})
        returning 1
      ), put as (
      insert into ${this.#into} (${this.#columns.join(", ")})
      select ${of("s", this.#columns)} from sent s
      left join here h on ${this.#same("h", "s")}
      left join kept k on ${this.#same("k", "s")}
      where h.database_id is null or h.fault is not null or k.database_id is null
         or (${of("h", this.#others)}) is distinct from (${of("s", this.#others)})
         or (${of("k", this.#others)}) is distinct from (${of("s", this.#others)})
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
