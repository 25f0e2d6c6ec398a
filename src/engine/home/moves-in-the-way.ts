/** What a move under way keeps others from. */
import { TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import { findMove, type Move } from "#engine/home/moves";

/** What keeps a placement's move from being over, and what can be done about it, in one sentence. */
export function describeMove({ isSwitched, cancelledAt, step, keepUntil }: Move): string {
  if (!isSwitched && cancelledAt !== null)
    return "The placement's move was called off and is being undone: try again when that is over.";
  if (!isSwitched) return "The placement is being moved: cancel the move first, or wait until it is over.";
  if (cancelledAt !== null) return "The placement is being moved back: try again when that is over.";
  if (step === "KEEPING_SOURCE" && keepUntil !== null)
    return `The placement was moved, and where it came from is kept until ${keepUntil.toISOString()}: wait until then, or cancel the move first, which takes it back.`;
  return "The placement was moved, and where it came from is being cleaned: try again when that is over.";
}

/** CONFLICT with {@link describeMove} for a placement that is on a move. */
export async function refuseWhileMoving(context: { home: Queryable<"home"> }, placementId: string): Promise<void> {
  const move = await findMove(context, placementId);
  if (move !== undefined) throw new TenantryError("CONFLICT", describeMove(move));
}

/** Whether a placement is being moved from or to this tenant database: it is not migrated meanwhile. */
export async function isInMove({ home }: { home: Queryable<"home"> }, databaseId: number): Promise<boolean> {
  const moves = await home.query(
    "moves.of_database",
    "select from tenantry.moves where $1 in (from_database_id, to_database_id) limit 1",
    [databaseId],
  );
  return moves.length > 0;
}
