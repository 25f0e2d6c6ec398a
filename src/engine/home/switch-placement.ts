/** The switch of a move at home, there and back, and the catalog's part in it. */
import type { HomeDatabase, Queryable, Session } from "#base/postgres/database";
import { inPieces } from "#base/postgres/pieces";
import type { Move } from "#engine/home/moves";

type Switched = Pick<Move, "placementId" | "from" | "to">;

/**
 * Has the placement be in the move's target, from the commit on: a transaction of its own, of one statement. True when it is there
 * now, also from before. False when it is not, as somebody has called the move off or it has ended. When the answer is lost, ask
 * again: it is the same.
 */
export function switchPlacement(context: { home: Queryable<"home"> }, { placementId, to }: Switched): Promise<boolean> {
  return switchInto(context, placementId, to.databaseId);
}

/** The same for the way back: into the move's source. */
export function switchBack(context: { home: Queryable<"home"> }, { placementId, from }: Switched): Promise<boolean> {
  return switchInto(context, placementId, from.databaseId);
}

async function switchInto(
  { home }: { home: Queryable<"home"> },
  placementId: string,
  databaseId: number,
): Promise<boolean> {
  const [row] = await home.query<{ isThere: boolean | null }>(
    "moves.switch",
    `select tenantry.switch_placement($1, $2) as "isThere"`,
    [placementId, databaseId],
  );
  return row?.isThere === true;
}

/** Rows that one statement compares. The rows of the placement wait meanwhile: some 20 ms, and 0.1 s where all differ. */
const PIECE_ROWS = 2_000;

/**
 * Makes what the catalog has of a placement equal to what its database has sent, and writes only what differs. Call it after the
 * switch, when the catalog link of the database that the placement is in now has carried everything. Run again it goes through
 * all once more.
 */
export async function settleCatalog(
  { home }: { home: HomeDatabase },
  placementId: string,
  signal: AbortSignal,
): Promise<void> {
  const tables = await home.query<{ name: string }>(
    "moves.catalog_tables",
    "select relname as name from pg_class where relnamespace = 'catalog'::regnamespace and relkind = 'r' order by relname",
  );
  for (const { name } of tables) {
    const settlePiece = async (session: Session<"home">, after: string | null) => {
      const [row] = await session.query<{ last: string | null }>(
        "moves.settle_catalog",
        "select tenantry.settle_catalog($1, $2, $3, $4) as last",
        [name, placementId, after, PIECE_ROWS],
      );
      return row?.last ?? null;
    };
    await inPieces(home, settlePiece, signal);
  }
}
