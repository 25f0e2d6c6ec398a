/** Counting the rows of a placement, for the receipt. */
import type { Placement } from "#engine/home/placements";
import type { Session, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import { inPieces } from "#base/postgres/pieces";

const PIECE_ROWS = 20_000;

/**
 * How many rows of a table are the placement's, and a checksum that does not depend on their order: a sum of digests. `key` is a
 * column of ids that has each value once among these rows. Nobody writes meanwhile.
 */
export async function countRows(
  database: TenantDatabase,
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
  { name, key }: { name: string; key: string },
  signal: AbortSignal,
): Promise<{ rows: number; checksum: string }> {
  const sum = { rows: 0, digests: 0n };
  const column = quoteIdentifier(key);
  const countPiece = async (session: Session<"tenant">, after: string | null) => {
    const [row] = await session.query<{ rows: number; digests: string; last: string }>(
      "receipt.count",
      `with piece as materialized (
         select t.${column} as key, ('x' || left(md5(t.*::text), 15))::bit(60)::bigint as digest
         from ${quoteQualified(name)} t
         where t.database_id = $1 and t.organization_id = $2${after === null ? "" : ` and t.${column} > $3`}
         order by t.${column} limit ${PIECE_ROWS}
       )
       select key as last, (select count(*)::int from piece) as rows, (select sum(digest)::text from piece) as digests
       from piece order by key desc limit 1`,
      [databaseId, organizationId, ...(after === null ? [] : [after])],
    );
    if (row === undefined) return null;
    sum.rows += row.rows;
    sum.digests += BigInt(row.digests);
    return row.rows < PIECE_ROWS ? null : row.last;
  };
  await inPieces(database, countPiece, signal);
  return { rows: sum.rows, checksum: sum.digests.toString() };
}
