/** Counting the rows of a placement, for the receipt. */
import type { Placement } from "#engine/home/placements";
import type { BatchStatement } from "#base/postgres/batch";
import type { TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import { type ReadPieces, readInPieces } from "#base/postgres/pieces";

const PIECE_ROWS = 20_000;

/** A table, and a column of ids that has each value once among the placement's rows. */
type Counted = { name: string; key: string };
/** How many rows are the placement's, and a checksum that does not depend on their order: a sum of digests. */
type Count = { table: string; rows: number; checksum: string };

/** Counts each of the tables. Nobody writes meanwhile. */
export async function countRows(
  database: TenantDatabase,
  placement: Pick<Placement, "databaseId" | "organizationId">,
  tables: readonly Counted[],
  signal: AbortSignal,
): Promise<Count[]> {
  const sums = tables.map((table) => ({ table, rows: 0, digests: 0n }));
  const readings = sums.map(
    (sum): ReadPieces => ({
      ask: (after) => countPiece(placement, sum.table, after),
      take: ([row]) => {
        if (row === undefined) return null;
        const { rows, digests, last } = row as { rows: number; digests: string; last: string };
        sum.rows += rows;
        sum.digests += BigInt(digests);
        return rows < PIECE_ROWS ? null : last;
      },
    }),
  );
  await readInPieces(database, "receipt.count", readings, signal);
  return sums.map(({ table, rows, digests }) => ({ table: table.name, rows, checksum: digests.toString() }));
}

function countPiece(
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
  { name, key }: Counted,
  after: string | null,
): BatchStatement {
  const column = quoteIdentifier(key);
  return {
    text: `with piece as materialized (
       select t.${column} as key, ('x' || left(md5(t.*::text), 15))::bit(60)::bigint as digest
       from ${quoteQualified(name)} t
       where t.database_id = $1 and t.organization_id = $2${after === null ? "" : ` and t.${column} > $3`}
       order by t.${column} limit ${PIECE_ROWS}
     )
     select key as last, (select count(*)::int from piece) as rows, (select sum(digest)::text from piece) as digests
     from piece order by key desc limit 1`,
    values: [databaseId, organizationId, ...(after === null ? [] : [after])],
  };
}
