/** What the steps of a move work with: a placement on its way from one side to the other. */
import { type Move, streamOf } from "#engine/home/moves";
import type { JobRun } from "#engine/jobs/job-run";
import { openSide, type Side } from "#engine/moves/ends";
import { type MoveLink, openMoveLink } from "#engine/moves/move-link";
import { type Moved, type MovedTable, movedTables } from "#engine/moves/moved-tables";
import type { Services } from "#engine/services";

export type Passage = {
  services: Services;
  run: Pick<JobRun, "job" | "save" | "signal">;
  move: Move;
  /** Where the placement is. */
  from: Side;
  /** Where it goes. Once the placement is in the target, and goes back, these are the other way round. */
  to: Side;
  /** From one to the other. */
  link: MoveLink;
  tables: readonly MovedTable[];
  moved: Moved;
};

/** Opens the passage from where the placement is to the other database. */
export async function openPassage(services: Services, run: Passage["run"], move: Move): Promise<Passage> {
  const { publisher, subscriber } = streamOf(move);
  const [from, to, link] = await Promise.all([
    openSide(services, publisher),
    openSide(services, subscriber),
    openMoveLink(services, move),
  ]);
  const tables = movedTables(services.tables.at(publisher.schemaVersion).tables);
  const { organizationId, number } = move;
  return { services, run, move, from, to, link, tables, moved: { organizationId, number } };
}
