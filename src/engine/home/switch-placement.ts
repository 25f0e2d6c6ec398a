/** The switch of a move at home, there and back, and the catalog's part in it. */
import { notFound } from "#base/kernel/errors";
import type { HomeDatabase, Queryable, Session } from "#base/postgres/database";
import { inPieces } from "#base/postgres/pieces";
import type { Move } from "#engine/home/moves";

type Switched = Pick<Move, "placementId" | "from" | "to">;

/**
 * Begins an attempt of the move's job: from the commit on, an earlier one switches nothing, however late its word comes. To be called
 * before anything is undone that an earlier one may have done.
 */
export async function beginAttempt({ home }: { home: Queryable<"home"> }, placementId: string): Promise<string> {
  const [row] = await home.query<{ attempt: string }>(
    "moves.begin_attempt",
    "update tenantry.moves set attempt = gen_random_uuid() where placement_id = $1 returning attempt",
    [placementId],
  );
  if (row === undefined) throw notFound("Move");
  return row.attempt;
}

/**
 * Has the placement be in the move's target, from the commit on: a transaction of its own, of one statement. True when it is there
 * now, also from before. False when it is not, as somebody has called the move off, it has ended, or another attempt has begun. When
 * the answer is lost, ask again: it is the same.
 */
export function switchPlacement(
  context: { home: Queryable<"home"> },
  { placementId, to }: Switched,
  attempt: string,
): Promise<boolean> {
  return switchInto(context, placementId, to.databaseId, attempt);
}

/** The same for the way back: into the move's source. */
export function switchBack(
  context: { home: Queryable<"home"> },
  { placementId, from }: Switched,
  attempt: string,
): Promise<boolean> {
  return switchInto(context, placementId, from.databaseId, attempt);
}

async function switchInto(
  { home }: { home: Queryable<"home"> },
  placementId: string,
  databaseId: number,
  attempt: string,
): Promise<boolean> {
  const [row] = await home.query<{ isThere: boolean | null }>(
    "moves.switch",
    `select tenantry.switch_placement($1, $2, $3) as "isThere"`,
    [placementId, databaseId, attempt],
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
