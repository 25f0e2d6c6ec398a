/**
 * A pool's client. A write that is refused as the placement is closed in its database has changed nothing, so it is done again on
 * another connection, where the placement is then: when it is a statement by itself, or the first one of its transaction. What comes
 * later in a transaction depends on what was read before, so whoever began it has to begin again.
 */
import { isClosedScope } from "#engine/failures/refusals";
import { type LentStatement, type Outcome, ROLLED_BACK } from "#base/postgres/lease";
import type { Lent } from "#base/postgres/scoped-pool";
import { readStatementText } from "#base/postgres/statement-text";
import type { Where } from "#library/location";

/** A connection that is lent, and what is known of it. */
type Known = Lent & {
  readonly isReplaceable: boolean;
  readonly isInTransaction: boolean;
  readonly waitUntilVisible: () => Promise<void>;
};

/** Where a client has its connections from. */
type Source = {
  lend: (where: Where) => Promise<Known>;
  writing: <Value>(work: (where: Where) => Promise<Value>) => Promise<Value>;
  refusal: (failure: unknown) => Error;
};
type Listener = Parameters<Lent["onNotice"]>[0];

export class Client implements Lent {
  readonly #source: Source;
  /** Undefined: it was given back, as its placement is closed. */
  #lent: Known | undefined;
  /** One statement after the other: whether it can be done again depends on those before it. */
  #last: Promise<unknown> = Promise.resolve();
  /** What began the open transaction, while nothing else was sent in it. */
  #begun: LentStatement | undefined;
  /** Why the open transaction can only be rolled back, where its connection is gone. */
  #failure: Error | undefined;
  #isOver = false;
  /** What hears notices, and how to end that. */
  readonly #listeners = new Map<Listener, () => void>();

  static async connect(source: Source): Promise<Client> {
    return new Client(source, await source.lend(undefined));
  }

  private constructor(source: Source, lent: Known) {
    this.#source = source;
    this.#lent = lent;
  }

  get processId(): number | null {
    return this.#lent?.processId ?? null;
  }

  query(statement: LentStatement): Promise<Outcome> {
    return this.#inOrder(() => this.#run(statement));
  }

  async read(...[cursor, text]: Parameters<Lent["read"]>): Promise<void> {
    const { reading } = await this.#inOrder(async () => {
      this.#begun = undefined;
      const lent = this.#lent ?? (await this.#connect(undefined));
      return { reading: lent.read(cursor, text) };
    });
    await reading;
  }

  onNotice(listener: Listener): () => void {
    this.#listeners.set(listener, this.#lent?.onNotice(listener) ?? (() => undefined));
    return () => {
      this.#listeners.get(listener)?.();
      this.#listeners.delete(listener);
    };
  }

  giveBack(isBroken = false): void {
    this.#isOver = true;
    if (isBroken) this.#lent?.giveBack(true);
    void this.#last.finally(() => this.#lent?.giveBack(isBroken));
  }

  #inOrder<Value>(work: () => Promise<Value>): Promise<Value> {
    const next = this.#isOver
      ? Promise.reject(new Error("The connection was given back: a statement came after its end."))
      : this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #run(statement: LentStatement): Promise<Outcome> {
    const read = readStatementText(statement.text);
    if (this.#failure !== undefined) {
      if (read.isEnd === undefined) throw this.#failure;
      this.#failure = undefined;
      return ROLLED_BACK;
    }
    const isInTransaction = this.#lent?.isInTransaction === true;
    const begun = this.#begun;
    this.#begun = read.isBegin && !isInTransaction ? statement : undefined;
    const isFirst = begun !== undefined || !isInTransaction;
    const isRepeatable = isFirst && read.isWhole && this.#lent?.isReplaceable !== false;
    const outcome = await (isRepeatable ? this.#runAgain(statement, begun) : this.#runOnce(statement));
    await this.#lent?.waitUntilVisible();
    return outcome;
  }

  async #runOnce(statement: LentStatement): Promise<Outcome> {
    try {
      return await (this.#lent ?? (await this.#connect(undefined))).query(statement);
    } catch (error) {
      throw isClosedScope(error) ? this.#source.refusal(error) : error;
    }
  }

  /** `begun`: what comes before it on another connection. */
  async #runAgain(statement: LentStatement, begun: LentStatement | undefined): Promise<Outcome> {
    try {
      return await this.#source.writing(async (where) => {
        if (this.#lent === undefined) {
          const lent = await this.#connect(where);
          if (begun !== undefined) await lent.query(begun);
        }
        try {
          return await (this.#lent as Known).query(statement);
        } catch (error) {
          if (isClosedScope(error)) await this.#leave();
          throw error;
        }
      });
    } catch (error) {
      if (begun !== undefined && this.#lent === undefined)
        this.#failure = error instanceof Error ? error : new Error("the transaction has failed", { cause: error });
      throw error;
    }
  }

  async #connect(where: Where): Promise<Known> {
    const lent = await this.#source.lend(where);
    this.#lent = lent;
    for (const listener of this.#listeners.keys()) this.#listeners.set(listener, lent.onNotice(listener));
    return lent;
  }

  /** Nobody holds a connection while he waits. */
  async #leave(): Promise<void> {
    const lent = this.#lent;
    this.#lent = undefined;
    for (const forget of this.#listeners.values()) forget();
    if (lent?.isInTransaction === true) await lent.query({ text: "rollback" }).catch(() => undefined);
    lent?.giveBack();
  }
}
