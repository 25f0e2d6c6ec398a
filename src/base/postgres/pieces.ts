/** Work on very many rows, a piece at a time: each statement is short, and its locks are brief. */
import type { BatchStatement } from "#base/postgres/batch";
import type { Database, DatabaseKind, Session } from "#base/postgres/database";

/**
 * A piece is found by way of an index, whatever the planner believes of a table that was filled a moment ago: to sort the whole
 * table for each piece would cost the square of its rows.
 */
const SETTINGS = ["enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"];
const SET = SETTINGS.map((name) => `set ${name} = off`).join("; ");
const RESET = SETTINGS.map((name) => `reset ${name}`).join("; ");
const SET_HERE = { text: `select ${SETTINGS.map((name) => `set_config('${name}', 'off', true)`).join(", ")}` };

/** A piece of the work. Returns the key of the last row that it was about; null: there are no more. */
type Piece<Kind extends DatabaseKind> = (session: Session<Kind>, after: string | null) => Promise<string | null>;

/**
 * Calls `piece` with null, and then with what it returned, until that is null. So the next piece begins behind the last one and
 * does not pass over what is gone. Cut off between two pieces, as `signal` does, it can begin anew.
 */
export function inPieces<Kind extends DatabaseKind>(
  database: Database<Kind>,
  piece: Piece<Kind>,
  signal?: AbortSignal,
): Promise<void> {
  return database.session(async (session) => {
    await session.script("pieces.settings", SET);
    let after: string | null = null;
    do {
      signal?.throwIfAborted();
      after = further(after, await piece(session, after));
    } while (after !== null);
    await session.script("pieces.reset", RESET);
  });
}

/** Reading in pieces: what is asked of those behind a key, and what is made of the rows, which returns as a {@link Piece} does. */
export type ReadPieces = {
  readonly ask: (after: string | null) => BatchStatement;
  readonly take: (rows: readonly object[]) => string | null;
};

/** Does several such readings. The first piece of each goes in one message with those of the others, as the server may be far away. */
export function readInPieces(
  database: Database<DatabaseKind>,
  name: string,
  readings: readonly ReadPieces[],
  signal: AbortSignal,
): Promise<void> {
  return database.session(async (session) => {
    const [, ...firsts] = await session.batch(name, [SET_HERE, ...readings.map(({ ask }) => ask(null))]);
    for (const [at, { ask, take }] of readings.entries())
      for (let after = take(firsts[at] ?? []); after !== null; ) {
        signal.throwIfAborted();
        const [, rows = []] = await session.batch(name, [SET_HERE, ask(after)]);
        after = further(after, take(rows));
      }
  });
}

function further(after: string | null, last: string | null): string | null {
  // A server that says the same again and again would keep it from ending.
  if (last !== null && after !== null && last <= after) throw new Error("a piece did not get any further");
  return last;
}
