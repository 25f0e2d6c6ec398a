/**
 * A session whose locks somebody relies on. Each end believes in it only as long as it hears from the other, by its own
 * clock, so it makes no difference how the connection dies, or whether this process was stopped for a while:
 *
 * - the server ends the session, and with it the locks, when nothing was asked for `endsAfterMs`;
 * - this end stops whatever relies on the locks `heldMs` after it last asked something that was answered. That is
 *   earlier, so whoever takes the locks next begins after this one has stopped.
 */
import { type Call, inCall, inCallToo, outsideCalls } from "#base/kernel/call";
import { orLate } from "#base/kernel/wait";
import type { Database, DatabaseKind, Session } from "#base/postgres/database";

export type HeldTimes = {
  /** Pause between two questions. */
  beatMs: number;
  heldMs: number;
  endsAfterMs: number;
};

export const HELD_TIMES: HeldTimes = { beatMs: 2_000, heldMs: 10_000, endsAfterMs: 15_000 };

/** What ended is no longer believed in. */
export class SessionLost extends Error {
  constructor(options?: ErrorOptions) {
    super("the session with its locks was lost", options);
    this.name = "SessionLost";
  }
}

/**
 * Runs `work` with a session of its own, never through a pooler. All that `work` asks of any database is part of a call that ends with
 * the session: after that, nothing more is sent. Rejects with SessionLost as soon as the session is lost, without waiting
 * for `work`. Statements on the session are sent one after the other, also after `work` has ended the call that it is in; the server
 * stops one that would keep the next question waiting for too long.
 */
export function whileHeld<Kind extends DatabaseKind, Result>(
  database: Database<Kind>,
  work: (session: Session<Kind>, call: Call) => Promise<Result>,
  times: Partial<HeldTimes> = {},
): Promise<Result> {
  return database.session(async (connection) => {
    const held = new Held(connection, { ...HELD_TIMES, ...times });
    try {
      return await held.run(work);
    } finally {
      held.end();
    }
  });
}

class Held<Kind extends DatabaseKind> {
  readonly #connection: Session<Kind>;
  readonly #times: HeldTimes;
  readonly #over = new AbortController();
  readonly #lost = Promise.withResolvers<never>();
  readonly #call: Call;
  /** When what was answered last had been asked. */
  #heardAt = performance.now();
  #last: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;

  constructor(connection: Session<Kind>, times: HeldTimes) {
    this.#connection = connection;
    this.#times = times;
    this.#lost.promise.catch(() => undefined);
    this.#call = { signal: this.#over.signal, requireHeld: () => this.#requireHeld() };
  }

  async run<Result>(work: (session: Session<Kind>, call: Call) => Promise<Result>): Promise<Result> {
    const { heldMs, endsAfterMs, beatMs } = this.#times;
    // A statement keeps the next question waiting. One that waits for somebody else is refused before that costs the session.
    const statementMs = Math.max(heldMs - 2 * beatMs, 1);
    const begin = this.#connection.script(
      "held.begin",
      `set idle_session_timeout = ${endsAfterMs}; set statement_timeout = ${statementMs}`,
    );
    await orLate(begin, heldMs, () => new SessionLost());
    this.#timer = outsideCalls(() => setInterval(() => this.#beat(), beatMs));
    const result = await Promise.race([
      inCallToo(this.#call, () => work(this.#session(), this.#call)),
      this.#lost.promise,
    ]);
    await this.#send(() =>
      this.#connection.script(
        "held.end",
        "select pg_advisory_unlock_all(); reset idle_session_timeout; reset statement_timeout",
      ),
    );
    return result;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#over.abort(new SessionLost());
  }

  #beat(): void {
    if (performance.now() - this.#heardAt > this.#times.heldMs) this.#lose();
    // One that is not answered keeps the next ones from being asked.
    if (this.#isAsking || this.#over.signal.aborted) return;
    this.#isAsking = true;
    this.#send(() => this.#connection.query("held.beat", "select"))
      .catch((error: unknown) => this.#lose(error))
      .finally(() => {
        this.#isAsking = false;
      });
  }

  /** In the order of the questions; each that is answered proves that the session is there. */
  #send<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const sent = this.#last.then(async () => {
      const askedAt = performance.now();
      // Whoever asks may be over: what the session is asked for then, such as giving a lock back, is not.
      const answer = await outsideCalls(() => inCall(this.#call, ask));
      this.#heardAt = askedAt;
      return answer;
    });
    this.#last = sent.catch(() => undefined);
    return Promise.race([sent, this.#lost.promise]);
  }

  #session(): Session<Kind> {
    const { kind } = this.#connection;
    return {
      kind,
      query: (name, text, values) => this.#send(() => this.#connection.query(name, text, values)),
      script: (name, text) => this.#send(() => this.#connection.script(name, text)),
      batch: (name, statements) => this.#send(() => this.#connection.batch(name, statements)),
    };
  }

  #requireHeld(): void {
    if (performance.now() - this.#heardAt > this.#times.heldMs) throw this.#lose();
  }

  #lose(cause?: unknown): SessionLost {
    const lost = new SessionLost({ cause });
    this.#over.abort(lost);
    this.#lost.reject(lost);
    return lost;
  }
}
