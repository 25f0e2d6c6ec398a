/**
 * Which rows have changed in the source since a moment: read from a slot of the move's publication, of which nothing is kept but
 * ids.
 */
import { quoteIdentifier, quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import type { Session } from "#base/postgres/database";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { TenantryError } from "#base/kernel/errors";
import { Breach } from "#engine/border/protocol/breach";
import { Cursor } from "#engine/border/protocol/pgoutput";
import { charCode } from "#engine/border/protocol/wire";
import type { MovedTable } from "#engine/moves/moved-tables";

/** Ids of rows, by table. */
export type RowIds = Map<string, Set<string>>;

/** More are not kept. */
const MAX_ROWS = 1_000_000;

export function countRowIds(rows: RowIds): number {
  return [...rows.values()].reduce((sum, { size }) => sum + size, 0);
}

/** Creating a slot waits for every open transaction of that server that has written; beyond this it gives up. */
const CREATE_TIMEOUT_MS = 10_000;
/** Messages in one answer: where of each only the beginning is sent, and where they come whole. */
const FETCHED = 20_000;
const FETCHED_WHOLE = 500;
/** Further transactions are read in a later turn. */
const CHANGES_IN_A_TURN = 50_000;

export class ChangedRows {
  readonly #session: Session<"tenant">;
  readonly #slot: string;
  readonly #publication: string;
  readonly #relations = new Map<number, { table: string; idAt: number }>();
  /** Bytes of a change in which its id lies; undefined: it may lie anywhere. */
  readonly #cutAt: number | undefined;
  #isOpen = false;

  private constructor(session: Session<"tenant">, names: SlotNames, cutAt: number | undefined) {
    this.#session = session;
    this.#slot = names.slot;
    this.#publication = names.publication;
    this.#cutAt = cutAt;
  }

  /**
   * Makes a slot that goes with the session; the publication is there. What is committed from now on is read. NOT_SYNCED where a
   * transaction of the server stays open for too long.
   */
  static async since(
    session: Session<"tenant">,
    names: SlotNames,
    tables: readonly MovedTable[],
  ): Promise<ChangedRows> {
    const cutAt = await findCut(session, tables);
    try {
      await session.script(
        "moves.slot",
        `set statement_timeout = ${CREATE_TIMEOUT_MS};
         select pg_create_logical_replication_slot(${quoteLiteral(names.slot)}, 'pgoutput', true);
         set statement_timeout = 0`,
      );
    } catch (error) {
      if (sqlState(error) !== SQL_STATE.queryCanceled) throw error;
      throw new TenantryError(
        "NOT_SYNCED",
        "A transaction on the source's server stays open, and what changes cannot be followed before its end: it is tried again.",
        { cause: error },
      );
    }
    return new ChangedRows(session, names, cutAt);
  }

  /** Adds the rows that were changed since the last call. Costs one round trip unless very many were. NOT_SYNCED for too many. */
  async read(into: RowIds): Promise<void> {
    const limit = this.#cutAt === undefined ? FETCHED_WHOLE : FETCHED;
    const data =
      this.#cutAt === undefined
        ? "data"
        : // What is announced of a table comes whole.
          `case when get_byte(data, 0) in (73, 85, 68) then substring(data for ${this.#cutAt}) else data end`;
    // A cursor that outlives its transaction, so that none stays open, and whose end costs no round trip of its own.
    let next = `${this.#close()}declare changes no scroll cursor with hold for
      select ${data} as data from pg_logical_slot_get_binary_changes(${quoteLiteral(this.#slot)}, null, ${CHANGES_IN_A_TURN},
        'proto_version', '1', 'publication_names', ${quoteLiteral(quoteIdentifier(this.#publication))}); `;
    this.#isOpen = true;
    let inTurn = 0;
    for (;;) {
      const results = await this.#session.script("moves.changed", `${next}fetch ${limit} from changes`);
      const messages = (results.at(-1) ?? []) as { data: Buffer }[];
      for (const { data: message } of messages) this.#take(message, into);
      if (countRowIds(into) > MAX_ROWS)
        throw new TenantryError(
          "NOT_SYNCED",
          `More than ${MAX_ROWS} rows have changed while both databases were compared: it is tried again.`,
        );
      inTurn += messages.length;
      if (messages.length === limit) next = "";
      else if (inTurn < CHANGES_IN_A_TURN) return;
      else return this.read(into);
    }
  }

  /** The slot goes, and the session is as it was. */
  async end(): Promise<void> {
    await this.#session.script(
      "moves.end_slot",
      `${this.#close()}select pg_drop_replication_slot(${quoteLiteral(this.#slot)})`,
    );
  }

  #close(): string {
    return this.#isOpen ? "close changes; " : "";
  }

  #take(message: Buffer, into: RowIds): void {
    const cursor = new Cursor(message);
    switch (cursor.byte()) {
      case TYPE.relation:
        return this.#announce(cursor);
      case TYPE.insert:
      case TYPE.update:
      case TYPE.delete:
        return this.#row(cursor, into);
    }
  }

  #announce(cursor: Cursor): void {
    const oid = cursor.int32();
    const table = `${cursor.text()}.${cursor.text()}`;
    cursor.skip(1);
    const columns = Array.from({ length: cursor.int16() }, () => {
      cursor.skip(1);
      const column = cursor.text();
      cursor.skip(8);
      return column;
    });
    this.#relations.set(oid, { table, idAt: columns.indexOf("id") });
  }

  /** A row that has come under another id is one that has gone and one that has come. */
  #row(cursor: Cursor, into: RowIds): void {
    const relation = this.#relations.get(cursor.int32());
    // Marks are rows of no table that moves.
    if (relation === undefined || relation.idAt < 0) return;
    let ids = into.get(relation.table);
    if (ids === undefined) into.set(relation.table, (ids = new Set()));
    const kind = cursor.byte();
    ids.add(readId(cursor, relation.idAt, kind !== TUPLE.new));
    if (kind === TUPLE.new || cursor.left === 0) return;
    if (cursor.byte() === TUPLE.new) ids.add(readId(cursor, relation.idAt, false));
  }
}

export type SlotNames = { readonly slot: string; readonly publication: string };

const TYPE = { relation: charCode("R"), insert: charCode("I"), update: charCode("U"), delete: charCode("D") } as const;
const TUPLE = { new: charCode("N") } as const;
const VALUE = { null: charCode("n"), unchanged: charCode("u") } as const;

/** The id in a tuple; `whole`: to the tuple's end, as another one follows. */
function readId(cursor: Cursor, idAt: number, whole: boolean): string {
  const count = cursor.int16();
  let id: string | undefined;
  for (let index = 0; index < count && (whole || id === undefined); index += 1) {
    const kind = cursor.byte();
    if (kind === VALUE.null || kind === VALUE.unchanged) continue;
    const value = cursor.bytes(cursor.int32());
    if (index === idAt) id = value.toString("latin1");
  }
  if (id === undefined) throw new Breach("malformed", "a change without an id was sent");
  return id;
}

/** What a value of a type of fixed length takes as text at most, with what stands in front. */
const VALUE_BYTES = 80;
const FRAME_BYTES = 64;
/** Of the key in front of a row whose key has changed. */
const KEY_COLUMNS = 4;

/**
 * Up to where the changes of all tables have their id: a change holds the whole row, of which no more need be sent. Undefined where
 * columns of any length stand in front of it.
 */
async function findCut(session: Session<"tenant">, tables: readonly MovedTable[]): Promise<number | undefined> {
  const rows = await session.query<{ columns: number; before: number; fits: boolean }>(
    "moves.id_at",
    `select count(*)::int as columns, count(*) filter (where a.attnum < i.attnum)::int as before,
       bool_and(a.attnum >= i.attnum or a.attlen > 0) and bool_and(c.relreplident <> 'f') as fits
     from unnest($1::text[]) as n (name) join pg_class c on c.oid = to_regclass(n.name)
     join pg_attribute i on i.attrelid = c.oid and i.attname = 'id'
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped group by n.name`,
    [tables.map(({ name }) => quoteQualified(name))],
  );
  if (rows.some(({ fits }) => !fits)) return undefined;
  return Math.max(
    0,
    ...rows.map(({ columns, before }) => FRAME_BYTES + 2 * columns + VALUE_BYTES * (KEY_COLUMNS + 2 * (before + 1))),
  );
}
