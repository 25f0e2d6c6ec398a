/** What a move's job tells of it: the job's result, which the organization's owners read. Hosts and roles are the operator's. */
import type { Move, MoveEnd } from "#engine/home/moves";
import type { CountedTable, Removed } from "#engine/placements/take-out";

type Place = { region: string; database: string; isolation: string };

export type MoveReceipt = {
  organizationId: string;
  from: Place;
  to: Place;
  startedAt: string;
  /** Null: the placement was not switched. */
  switchedAt: string | null;
  /** When the content of both sides was last found equal. */
  verifiedAt: string | null;
  /** The longest time that writes were held, in milliseconds. */
  heldWritesMs: number | null;
  /** What the tables held that were taken away. `checksum` does not depend on the rows' order. */
  tables?: CountedTable[];
  removed?: Removed[];
  findings: string[];
  /** What this cannot reach. */
  remaining: string;
};

const REMAINING =
  "Backups and WAL archives of the server that the rows have left may hold them until they expire; so may exports and the server's statement logs. Where the database was shared, its files hold deleted rows until VACUUM has run.";

/** As far as the move has come. */
export function receiptOf(move: Move): Omit<MoveReceipt, "tables" | "removed"> {
  const { organizationId, from, to, startedAt, switchedAt, verifiedAt, heldMs, findings } = move;
  return {
    organizationId,
    from: placeOf(from),
    to: placeOf(to),
    startedAt: startedAt.toISOString(),
    switchedAt: switchedAt?.toISOString() ?? null,
    verifiedAt: verifiedAt?.toISOString() ?? null,
    heldWritesMs: heldMs,
    findings,
    remaining: REMAINING,
  };
}

function placeOf({ regionKey, database, isolation }: MoveEnd): Place {
  return { region: regionKey, database, isolation };
}
