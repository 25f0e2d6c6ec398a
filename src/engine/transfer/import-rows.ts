/** Writes the rows of an exported file into a placement's database, in pieces of bounded size. */
import { join } from "node:path";
import type { Placement } from "#engine/home/placements";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import type { TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import { sqlState, violatedConstraint } from "#base/postgres/sql-state";
import type { ExportedFile } from "#engine/transfer/export-format";
import { type LinesPiece, readPieces } from "#engine/transfer/json-lines";
import type { TransferOptions } from "#engine/transfer/transfer-failure";

/** Statements under way at the same time, each with a connection and a piece of its own. */
const MAX_STATEMENTS = 2;

/** `numbers`: those that lead to the placement. */
export type ImportTarget = { database: TenantDatabase; placement: Placement; numbers: readonly number[] };
export type ImportCount = { rows: number; added: number; bytes: number };

/**
 * Each piece is one transaction. Rows that are there already stay as they are. INVALID_INPUT for rows that cannot be written,
 * CONFLICT when an id, or the resource of a comment, is another organization's. `before` counts for the progress only.
 */
export async function importRows(
  target: ImportTarget,
  folder: string,
  exported: ExportedFile,
  { onProgress, signal }: TransferOptions,
  before: Pick<ImportCount, "rows" | "bytes"> = { rows: 0, bytes: 0 },
): Promise<ImportCount> {
  const { file, ...content } = exported;
  const count: ImportCount = { rows: 0, added: 0, bytes: 0 };
  // Each is taken out by who has waited for it, so that no failure is lost.
  const running: Promise<void>[] = [];
  const write = async (piece: LinesPiece) => {
    // Not in one expression, which would read the sum before another piece has added to it.
    const added = await writePiece(target, exported, piece);
    count.added += added;
    count.rows += piece.rows;
    count.bytes += piece.bytes;
    onProgress?.({ doing: "importing", file, rows: before.rows + count.rows, bytes: before.bytes + count.bytes });
  };
  try {
    // Its end is another comparison: what is written is what was checked.
    for await (const piece of readPieces(join(folder, file), file, content, signal)) {
      const task = write(piece);
      task.catch(() => undefined);
      running.push(task);
      if (running.length >= MAX_STATEMENTS) await running.shift();
    }
    await Promise.all(running);
  } finally {
    await Promise.allSettled(running);
  }
  return count;
}

async function writePiece(target: ImportTarget, exported: ExportedFile, piece: LinesPiece): Promise<number> {
  try {
    const { read, added, strange } = await insert(target, exported, piece);
    if (strange > 0)
      throw invalidInput(
        "folder",
        `${exported.file} has ${strange === 1 ? "an id that does" : `${strange} ids that do`} not lead to the exported placement.`,
      );
    if (added < read && (await countOwn(target, exported, piece)) < read)
      throw new TenantryError(
        "CONFLICT",
        `${exported.file} has an id, or the id of a resource, that belongs to another organization here.`,
      );
    return added;
  } catch (error) {
    // Data exceptions and integrity violations are the rows' doing.
    if (!/^2[23]/.test(sqlState(error) ?? "")) throw error;
    throw invalidInput("folder", `${exported.file} has ${describeFault(error, exported)}.`);
  }
}

/** What the table's own rules refused. */
function describeFault(error: unknown, { table }: ExportedFile): string {
  const constraint = violatedConstraint(error);
  if (constraint === `${table}_created_at_check`) return "a row whose created_at is not in the years 2000 to 2099";
  if (constraint === `${table}_name_check`)
    return "names with a line break, a control or an invisible character, or of more than 200 characters";
  return `rows that cannot be written: ${redactedMessage(error)}`;
}

/**
 * The lines are one parameter, whatever the columns' types are, and go to the server as they are in the file. Names and moments
 * are the table's to check. Ids are checked here: home would refuse a row whose id leads elsewhere. With one that is `strange`
 * nothing of the piece is written.
 */
async function insert(
  { database, placement, numbers }: ImportTarget,
  { table, columns }: ExportedFile,
  { json }: LinesPiece,
): Promise<{ read: number; added: number; strange: number }> {
  const name = `tenantry.${quoteIdentifier(table)}`;
  const list = columns.map(quoteIdentifier).join(", ");
  // Databases can be shared: that the resource is there is not enough.
  const ownResource = `and exists (
    select from tenantry.resources r
    where r.database_id = $1 and r.id = lines.resource_id and r.organization_id = $2)`;
  const [row] = await database.query<{ read: number; added: number; strange: number }>(
    "import.write",
    `with lines as materialized (
       select ${list} from json_populate_recordset(null::${name}, $3::json)
     ), strange as materialized (
       select count(*)::int as ids from lines
       where tenantry.placement_number_of(id) = any($4::int[]) is not true
     ), added as (
       insert into ${name} (database_id, organization_id, ${list})
       select $1, $2, ${list} from lines where (select ids from strange) = 0 ${table === "comments" ? ownResource : ""}
       on conflict do nothing returning 1
     )
     select (select count(*) from lines)::int as read, (select count(*) from added)::int as added,
            (select ids from strange) as strange`,
    [placement.databaseId, placement.organizationId, json, numbers],
  );
  if (row === undefined) throw new Error("the insert returned no row");
  return row;
}

async function countOwn(
  { database, placement }: ImportTarget,
  { table }: ExportedFile,
  { json }: LinesPiece,
): Promise<number> {
  const name = `tenantry.${quoteIdentifier(table)}`;
  const [row] = await database.query<{ own: number }>(
    "import.count_own",
    `select count(*)::int as own from json_populate_recordset(null::${name}, $3::json) lines
     join ${name} t on t.database_id = $1 and t.organization_id = $2 and t.id = lines.id`,
    [placement.databaseId, placement.organizationId, json],
  );
  return row?.own ?? 0;
}
