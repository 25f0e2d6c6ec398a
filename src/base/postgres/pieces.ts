/** Work on very many rows, a piece at a time: each statement is short, and its locks are brief. */
import type { Database, DatabaseKind, Session } from "#base/postgres/database";

/**
 * A piece is found by way of an index, whatever the planner believes of a table that was filled a moment ago: to sort the whole
 * table for each piece would cost the square of its rows.
 */
const SETTINGS = ["enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"];
const SET = SETTINGS.map((name) => `set ${name} = off`).join("; ");
const RESET = SETTINGS.map((name) => `reset ${name}`).join("; ");

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
  return eachInPieces(database, [piece], signal);
}

/** Does several works like {@link inPieces}, one after the other. They share one session, since the server may be far away. */
export function eachInPieces<Kind extends DatabaseKind>(
  database: Database<Kind>,
  works: readonly Piece<Kind>[],
  signal?: AbortSignal,
): Promise<void> {
  return database.session(async (session) => {
    await session.script("pieces.settings", SET);
    for (const piece of works) {
      let after: string | null = null;
      do {
        signal?.throwIfAborted();
        const last: string | null = await piece(session, after);
        // A server that says the same again and again would keep it from ending.
        if (last !== null && after !== null && last <= after) throw new Error("a piece did not get any further");
        after = last;
      } while (after !== null);
    }
    await session.script("pieces.reset", RESET);
  });
}
