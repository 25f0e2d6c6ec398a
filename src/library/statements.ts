/**
 * Sends a team's statements to one location: each with its deadline, with errors as the team is to see them, and, after a write
 * that flows, waiting until the catalog has it.
 */
import type { LinkId } from "#engine/replication/nudge";
import { type Call, currentCall, inCall } from "#base/kernel/call";
import { invalidInput } from "#base/kernel/errors";
import { isClosedScope } from "#engine/failures/refusals";
import type { Lease, LentStatement, Outcome } from "#base/postgres/lease";
import type { Lent, PoolSource } from "#base/postgres/scoped-pool";
import { readStatementText } from "#base/postgres/statement-text";
import type { CatalogWrites } from "#library/catalog-writes";
import { Client } from "#library/client";
import type { Location, Where } from "#library/location";

export type StatementsOptions = {
  location: Location;
  writes: CatalogWrites;
  /** Waits until the catalog has what was committed; bounded. */
  waitUntilVisible: (databaseId: number) => Promise<readonly LinkId[]>;
  /** A single statement may take this long, in milliseconds. */
  statementTimeoutMs: number;
};

const ISOLATIONS = ["read committed", "repeatable read", "serializable"] as const;
export type TransactionMode = { isolation?: (typeof ISOLATIONS)[number]; readOnly?: boolean };

/** What nobody ends. */
const NEVER = new AbortController().signal;

export class Statements implements PoolSource {
  readonly #options: StatementsOptions;
  readonly #signal: AbortSignal | undefined;

  /** `signal`: when it is aborted, what runs is stopped on the server. */
  constructor(options: StatementsOptions, signal: AbortSignal | undefined) {
    this.#options = options;
    this.#signal = signal;
  }

  /** The same, ended by another signal too. */
  until(signal: AbortSignal | undefined): Statements {
    if (signal === undefined) return this;
    const both = this.#signal === undefined ? signal : AbortSignal.any([this.#signal, signal]);
    return new Statements(this.#options, both);
  }

  /** For a pool: its client's connection. It waits for the catalog when a transaction has ended on it. */
  async lend(): Promise<Lent> {
    const { location } = this.#options;
    return Client.connect({
      lend: (where) => this.#lend(where),
      writing: (work) => this.#writing(work),
      refusal: (failure) => location.refusal(failure),
    });
  }

  /** One text on any connection, which goes back before the catalog is waited for. */
  async single(statement: LentStatement): Promise<Outcome> {
    const run = async (where: Where) => {
      const lent = await this.#lend(where);
      try {
        return { lent, outcome: await lent.query(statement) };
      } finally {
        lent.giveBack();
      }
    };
    const { lent, outcome } = await (readStatementText(statement.text).isWhole
      ? this.#writing(run)
      : run(undefined).catch((error: unknown) => {
          throw isClosedScope(error) ? this.#options.location.refusal(error) : error;
        }));
    if (outcome.isInTransaction)
      throw new Error(
        "The statement began a transaction and left it open, so it was rolled back: use transaction(), or a client of pool.connect().",
      );
    await lent.waitUntilVisible();
    return outcome;
  }

  /**
   * Runs `work` in a transaction and commits it, or rolls it back when `work` throws. Once more where the placement was closed in its
   * database meanwhile.
   */
  async transaction<Value>(
    work: (query: (statement: LentStatement) => Promise<Outcome>) => Promise<Value>,
    { isolation = "read committed", readOnly = false }: TransactionMode,
  ): Promise<Value> {
    if (!ISOLATIONS.includes(isolation))
      throw invalidInput("isolation", `isolation is one of ${ISOLATIONS.join(", ")}.`);
    const begin = `begin isolation level ${isolation}${readOnly ? " read only" : ""}`;
    let isAgain = false;
    const { lent, value } = await this.#writing((where) => {
      const asked = this.#inTransaction({ begin, work, where, isAgain });
      isAgain = true;
      return asked;
    });
    await lent.waitUntilVisible();
    return value;
  }

  async #inTransaction<Value>({
    begin,
    work,
    where,
    isAgain,
  }: {
    begin: string;
    work: (query: (statement: LentStatement) => Promise<Outcome>) => Promise<Value>;
    where: Where;
    isAgain: boolean;
  }): Promise<{ lent: Watched; value: Value }> {
    const lent = await this.#lend(where);
    let isOver = false;
    const query = async (statement: LentStatement) => {
      if (isOver) throw new Error("The transaction has ended: a statement came after it.");
      return lent.query(statement);
    };
    try {
      // It is not run just to find out whether the placement is still closed.
      if (isAgain) await lent.query({ text: "select tenantry.takes_writes()" });
      await lent.query({ text: begin });
      const value = await work(query);
      isOver = true;
      const { firstFailure } = lent;
      const { ended } = await lent.query({ text: "commit" });
      if (ended !== "committed")
        throw firstFailure ?? new Error("The transaction was not committed: it had ended before.");
      return { lent, value };
    } catch (error) {
      isOver = true;
      await lent.query({ text: "rollback" }).catch(() => undefined);
      throw closingIn(error) ?? error;
    } finally {
      lent.giveBack();
    }
  }

  /** Waits until the catalog has what was committed by now; returns whether it has. */
  async waitForCatalog(): Promise<boolean> {
    const { waitUntilVisible, location } = this.#options;
    return (await waitUntilVisible(await location.databaseId())).length === 0;
  }

  async #lend(where?: Where): Promise<Watched> {
    const { writes, waitUntilVisible, location } = this.#options;
    const { lease, databaseId } = await this.#during(false, () => location.lend(where));
    return new Watched(lease, {
      during: (isStream, work) => this.#during(isStream, work),
      isWrite: (text, results) => writes.isOne(text, results),
      waitUntilVisible: () => waitUntilVisible(databaseId),
    });
  }

  /** Does it again while the placement is closed in its database, for as long as the call lasts. */
  #writing<Value>(work: (where: Where) => Promise<Value>): Promise<Value> {
    return inCall({ ...currentCall(), signal: this.#end }, () => this.#options.location.writing(work));
  }

  /** When what runs has to end. */
  get #end(): AbortSignal {
    const signals = [currentCall()?.signal, this.#signal].filter((signal) => signal !== undefined);
    return signals.length > 1 ? AbortSignal.any(signals) : (signals[0] ?? NEVER);
  }

  /** `isStream`: it may take as long as it is read. */
  async #during<Value>(isStream: boolean, work: () => Promise<Value>): Promise<Value> {
    const { statementTimeoutMs, location } = this.#options;
    const call: Call = { ...currentCall(), signal: this.#end, ...(!isStream && { statementTimeoutMs }) };
    try {
      return await inCall(call, work);
    } catch (error) {
      throw await location.explain(error);
    }
  }
}

type Watching = {
  during: <Value>(isStream: boolean, work: () => Promise<Value>) => Promise<Value>;
  isWrite: (text: string, results: Outcome["results"]) => boolean;
  waitUntilVisible: () => Promise<unknown>;
};

/** The database's refusal as the placement is closed, where that is why something else was thrown. */
function closingIn(error: unknown): unknown {
  for (let at = error; at instanceof Error; at = at.cause) if (isClosedScope(at)) return at;
  return undefined;
}

/** A lease, and what was written on it. */
class Watched implements Lent {
  readonly #lease: Lease;
  readonly #watching: Watching;
  /** Written in a transaction that is open; and committed, but not waited for. */
  #isWritten = false;
  #isCommitted = false;
  /** Of the open transaction: it fails what comes after it, and a commit becomes a rollback without a word. */
  firstFailure: Error | undefined;

  constructor(lease: Lease, watching: Watching) {
    this.#lease = lease;
    this.#watching = watching;
  }

  get processId(): number | null {
    return this.#lease.processId;
  }

  get isReplaceable(): boolean {
    return this.#lease.isReplaceable;
  }

  get isInTransaction(): boolean {
    return this.#lease.isInTransaction;
  }

  async query(statement: LentStatement): Promise<Outcome> {
    try {
      const outcome = await this.#watching.during(false, () => this.#lease.query(statement));
      this.#note(statement.text, outcome);
      return outcome;
    } catch (error) {
      if (error instanceof Error) this.firstFailure ??= error;
      throw error;
    }
  }

  read: Lent["read"] = (cursor, text) => this.#watching.during(true, () => this.#lease.read(cursor, text));
  onNotice: Lent["onNotice"] = (listener) => this.#lease.onNotice(listener);
  giveBack: Lent["giveBack"] = (isBroken) => this.#lease.giveBack(isBroken);

  /** Waits until the catalog has what was committed, if any of it flows. */
  async waitUntilVisible(): Promise<void> {
    if (!this.#isCommitted) return;
    this.#isCommitted = false;
    await this.#watching.waitUntilVisible();
  }

  #note(text: string, { results, ended, isInTransaction }: Outcome): void {
    if (this.#watching.isWrite(text, results)) this.#isWritten = true;
    if (isInTransaction) return;
    if (this.#isWritten && ended !== "rolled back") this.#isCommitted = true;
    this.#isWritten = false;
    this.firstFailure = undefined;
  }
}
