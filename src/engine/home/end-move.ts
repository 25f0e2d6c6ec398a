/** Where a move ends at home. */
import type { HomeDatabase } from "#base/postgres/database";
import { forgetInbox, unprojectPlacement } from "#engine/home/forget-placement";
import { findMove } from "#engine/home/moves";
import { setPlacementState } from "#engine/home/placements";

/**
 * Forgets the move's other database, the one in which the placement is not: what it was told of the organization, what it has sent,
 * and `withDatabase` its record, when it is gone from its server as a whole. Nothing of the placement may come from there any
 * more. The placement is ACTIVE then. In pieces: cut off, it can run again. The catalog stays as it is.
 */
export async function endMove(
  { home }: { home: HomeDatabase },
  placementId: string,
  { withDatabase, signal }: { withDatabase: boolean; signal: AbortSignal },
): Promise<void> {
  const move = await findMove({ home }, placementId);
  if (move === undefined) return;
  const { organizationId } = move;
  const { databaseId } = move.isSwitched ? move.from : move.to;
  // First: the guard takes no row of an organization that is not in the directory.
  await unprojectPlacement({ home }, { databaseId, organizationId }, signal);
  await forgetInbox({ home }, { databaseId, organizationId: withDatabase ? null : organizationId }, signal);
  await home.transaction(async (transaction) => {
    await transaction.query("organizations.lock", "select from tenantry.organizations where id = $1 for update", [
      organizationId,
    ]);
    const ended = await transaction.query(
      "moves.end",
      "delete from tenantry.moves where placement_id = $1 and other_database_id = $2 returning 1",
      [placementId, databaseId],
    );
    // Somebody else has ended it, or it was switched: then this database is not the other one any more.
    if (ended.length === 0) return;
    await setPlacementState({ home: transaction }, placementId, "ACTIVE");
    if (!withDatabase) return;
    await transaction.query("moves.forget_database", "delete from tenantry.tenant_databases where id = $1", [
      databaseId,
    ]);
    await transaction.query("moves.forget_changes", "delete from tenantry.directory_changes where database_id = $1", [
      databaseId,
    ]);
  });
}
