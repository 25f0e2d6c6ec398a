/** Where a move ends at home, or waits for its end. */
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import { notFound } from "#base/kernel/errors";
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

/** The placement is in the target, and changes flow back from now on. Returns until when. */
export async function beginKeeping({ home }: { home: Queryable<"home"> }, placementId: string): Promise<Date> {
  const [row] = await home.query<{ until: Date }>(
    "moves.keep",
    `update tenantry.moves set step = 'KEEPING_SOURCE',
       keep_until = coalesce(keep_until, clock_timestamp() + keep_source_seconds * interval '1 second')
     where placement_id = $1 returning keep_until as until`,
    [placementId],
  );
  if (row === undefined) throw notFound("Move");
  return row.until;
}

/**
 * The placement stays where it is, for a reason in one sentence: a move that was to go there is called off, one that was to go back
 * goes on keeping its source.
 */
export async function giveUpMove(
  { home }: { home: Queryable<"home"> },
  placementId: string,
  reason: string,
): Promise<void> {
  await home.query(
    "moves.give_up",
    `with kept as (
       update tenantry.moves set findings = findings || $2::text, breach = null,
         cancelled_at = case when other_database_id = to_database_id then coalesce(cancelled_at, clock_timestamp()) end,
         step = case when other_database_id = to_database_id then step else 'KEEPING_SOURCE' end
       where placement_id = $1 returning placement_id, cancelled_at
     )
     update tenantry.placements p set state = 'ACTIVE', updated_at = clock_timestamp()
     from kept where p.id = kept.placement_id and kept.cancelled_at is null and p.state = 'MOVING'`,
    [placementId, reason],
  );
}
