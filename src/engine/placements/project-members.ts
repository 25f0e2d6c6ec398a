/** Bringing an organization's members into the directory of a database, a piece at a time. */
import type { Placement } from "#engine/home/placements";
import type { HomeDatabase, Session } from "#base/postgres/database";
import { inPieces } from "#base/postgres/pieces";

/** Members who are taken in at once. Who joins, leaves or is renamed meanwhile waits for this long: some 0.1 s. */
const PIECE_ROWS = 2_000;

/** Run again after a crash it passes over those who are there. */
export async function projectMembers(
  { home }: { home: HomeDatabase },
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
  signal: AbortSignal,
): Promise<void> {
  const projectPiece = async (session: Session<"home">, after: string | null) => {
    const [row] = await session.query<{ last: string | null }>(
      "placements.project_members",
      "select tenantry.project_members($1, $2, $3, $4) as last",
      [databaseId, organizationId, after, PIECE_ROWS],
    );
    return row?.last ?? null;
  };
  await inPieces(home, projectPiece, signal);
}
