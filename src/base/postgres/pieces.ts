/** Work on very many rows, a piece at a time: each statement is short, and its locks are brief. */
import type { Database, DatabaseKind, Session } from "#base/postgres/database";

/**
 * A piece is found by way of an index, whatever the planner believes of a table that was filled a moment ago: to sort the whole
 * table for each piece would cost the square of its rows.
 */
const SETTINGS = ["enable_seqscan", "enable_bitmapscan", "enable_sort", "jit"];
const SET = SETTINGS.map((name) => `set ${name} = off`).join("; ");
const RESET = SETTINGS.map((name) => `reset ${name}`).join("; ");

/**
 * Calls `piece` with null, and then with what it returned, until that is null. It does its part of the work on the session
 * and returns the key of the last row that it was about, so that the next piece begins behind it and does not pass over what is
 * gone. Cut off between two pieces, as `signal` does, it can begin anew.
 */
export function inPieces<Kind extends DatabaseKind>(
  database: Database<Kind>,
  piece: (session: Session<Kind>, after: string | null) => Promise<string | null>,
  signal?: AbortSignal,
): Promise<void> {
  return database.session(async (session) => {
    await session.script("pieces.settings", SET);
    let after: string | null = null;
    do {
      signal?.throwIfAborted();
      after = await piece(session, after);
    } while (after !== null);
    await session.script("pieces.reset", RESET);
  });
}
