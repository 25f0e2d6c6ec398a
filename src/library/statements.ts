/**
 * Sends a team's statements to one location: each with its deadline, with errors as the team is to see them, and, after a write
 * that flows, waiting until the catalog has it.
 */
import type { LinkId } from "#engine/replication/nudge";
import { type Call, currentCall, inCall } from "#base/kernel/call";
import { invalidInput } from "#base/kernel/errors";
import type { Lease, LentStatement, Outcome } from "#base/postgres/lease";
import type { Lent, PoolSource } from "#base/postgres/scoped-pool";
import type { CatalogWrites } from "#library/catalog-writes";
import type { Location } from "#library/location";

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
    const lent = await this.#lend();
    const query = async (statement: LentStatement) => {
      const outcome = await lent.query(statement);
      await lent.waitUntilVisible();
      return outcome;
    };
    return {
      query,
      read: (cursor, text) => lent.read(cursor, text),
      giveBack: (isBroken) => lent.giveBack(isBroken),
      onNotice: (listener) => lent.onNotice(listener),
      processId: lent.processId,
    };
  }

  /** One text on any connection, which goes back before the catalog is waited for. */
  async single(statement: LentStatement): Promise<Outcome> {
    const lent = await this.#lend();
    let outcome: Outcome;
    try {
      outcome = await lent.query(statement);
    } finally {
      lent.giveBack();
    }
    if (outcome.isInTransaction)
      throw new Error(
        "The statement began a transaction and left it open, so it was rolled back: use transaction(), or a client of pool.connect().",
      );
    await lent.waitUntilVisible();
    return outcome;
  }

  /** Runs `work` in a transaction and commits it, or rolls it back when `work` throws. */
  async transaction<Value>(
    work: (query: (statement: LentStatement) => Promise<Outcome>) => Promise<Value>,
    { isolation = "read committed", readOnly = false }: TransactionMode,
  ): Promise<Value> {
    if (!ISOLATIONS.includes(isolation))
      throw invalidInput("isolation", `isolation is one of ${ISOLATIONS.join(", ")}.`);
    const lent = await this.#lend();
    let isOver = false;
    const query = async (statement: LentStatement) => {
      if (isOver) throw new Error("The transaction has ended: a statement came after it.");
      return lent.query(statement);
    };
    let value: Value;
    try {
      await lent.query({ text: `begin isolation level ${isolation}${readOnly ? " read only" : ""}` });
      value = await work(query);
      isOver = true;
      const { firstFailure } = lent;
      const { ended } = await lent.query({ text: "commit" });
      if (ended !== "committed")
        throw firstFailure ?? new Error("The transaction was not committed: it had ended before.");
    } catch (error) {
      isOver = true;
      await lent.query({ text: "rollback" }).catch(() => undefined);
      throw error;
    } finally {
      lent.giveBack();
    }
    await lent.waitUntilVisible();
    return value;
  }

  /** Waits until the catalog has what was committed by now; returns whether it has. */
  async waitForCatalog(): Promise<boolean> {
    const { waitUntilVisible, location } = this.#options;
    return (await waitUntilVisible(location.databaseId)).length === 0;
  }

  async #lend(): Promise<Watched> {
    const lease = await this.#during(false, () => this.#options.location.lend());
    const { writes, waitUntilVisible, location } = this.#options;
    return new Watched(lease, {
      during: (isStream, work) => this.#during(isStream, work),
      isWrite: (text, results) => writes.isOne(text, results),
      waitUntilVisible: () => waitUntilVisible(location.databaseId),
    });
  }

  /** `isStream`: it may take as long as it is read. */
  async #during<Value>(isStream: boolean, work: () => Promise<Value>): Promise<Value> {
    const { statementTimeoutMs, location } = this.#options;
    const outer = currentCall();
    const signals = [outer?.signal, this.#signal].filter((signal) => signal !== undefined);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : (signals[0] ?? NEVER);
    const call: Call = { ...outer, signal, ...(!isStream && { statementTimeoutMs }) };
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
