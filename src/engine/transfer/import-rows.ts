/** Writes the rows of an exported file into a placement's database, in pieces of bounded size. */
import { join } from "node:path";
import type { Placement } from "#engine/home/placements";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import type { TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import type { OwnedPieces } from "#engine/regions/owned-pieces";
import { SQL_STATE, sqlState, violatedConstraint } from "#base/postgres/sql-state";
import { refersToItself, type TenantTable } from "#engine/tables";
import type { ExportedFile } from "#engine/transfer/export-format";
import { type LinesPiece, readPieces } from "#engine/transfer/json-lines";
import type { TransferOptions } from "#engine/transfer/transfer-failure";

/** Statements under way at the same time, each with a connection and a piece of its own. */
const MAX_STATEMENTS = 2;

/** `numbers`: those that lead to the placement. */
export type ImportTarget = {
  database: TenantDatabase;
  placement: Placement;
  numbers: readonly number[];
  owned: OwnedPieces;
};
/** A file of an export and the table that its rows belong to. */
export type ImportSource = { exported: ExportedFile; table: TenantTable };
export type ImportCount = { rows: number; added: number; bytes: number };

/**
 * Each piece is one transaction. Rows that are there already stay as they are. INVALID_INPUT for rows that cannot be written,
 * CONFLICT when an id, or a row that one refers to, is another organization's. `before` counts for the progress only.
 */
export async function importRows(
  target: ImportTarget,
  folder: string,
  source: ImportSource,
  { onProgress, signal }: TransferOptions,
  { ...before }: Pick<ImportCount, "rows" | "bytes">,
): Promise<ImportCount> {
  const { file, ...content } = source.exported;
  // A row may refer to one of its own table that another piece brings: then one piece goes after the other.
  const maxStatements = refersToItself(source.table) ? 1 : MAX_STATEMENTS;
  const count: ImportCount = { rows: 0, added: 0, bytes: 0 };
  // Each is taken out by who has waited for it, so that no failure is lost.
  const running: Promise<void>[] = [];
  const write = async (piece: LinesPiece) => {
    // Not in one expression, which would read the sum before another piece has added to it.
    const added = await writePiece(target, source, piece);
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
      if (running.length >= maxStatements) await running.shift();
    }
    await Promise.all(running);
  } finally {
    await Promise.allSettled(running);
  }
  return count;
}

async function writePiece(target: ImportTarget, source: ImportSource, piece: LinesPiece): Promise<number> {
  const { exported } = source;
  const isOthers = () =>
    new TenantryError(
      "CONFLICT",
      `${exported.file} has an id, or refers to a row, that belongs to another organization here.`,
    );
  try {
    const { read, added, strange } = await insert(target, source, piece);
    if (strange > 0)
      throw invalidInput(
        "folder",
        `${exported.file} has ${strange === 1 ? "an id that does" : `${strange} ids that do`} not lead to the exported placement.`,
      );
    if (added < read && (await countOwn(target, exported, piece)) < read) throw isOthers();
    return added;
  } catch (error) {
    // Each foreign key names the organization.
    if (sqlState(error) === SQL_STATE.foreignKeyViolation) throw isOthers();
    // Data exceptions and integrity violations are the rows' doing.
    if (!/^2[23]/.test(sqlState(error) ?? "")) throw error;
    throw invalidInput("folder", `${exported.file} has ${describeFault(error, source.table)}.`);
  }
}

/** What the table's own rules refused. */
function describeFault(error: unknown, { rules }: TenantTable): string {
  const rule = rules[violatedConstraint(error) ?? ""];
  return rule === undefined
    ? `rows that cannot be written: ${redactedMessage(error)}`
    : `a row that cannot be written: ${rule}`;
}

/**
 * The lines are one parameter, whatever the columns' types are, and go to the server as they are in the file. Names and moments
 * are the table's to check. Ids are checked here: home would refuse a row whose id leads elsewhere. With one that is `strange`
 * nothing of the piece is written, and neither is where the region is another home's by now.
 */
async function insert(
  { database, placement, numbers, owned }: ImportTarget,
  { exported: { columns }, table }: ImportSource,
  { json }: LinesPiece,
): Promise<{ read: number; added: number; strange: number }> {
  const name = quoteQualified(table.name);
  const list = columns.map(quoteIdentifier).join(", ");
  const [row] = await database.query<{ read: number; added: number; strange: number; owned: boolean }>(
    "import.write",
    `with owned as materialized (select ${owned.isOwned} as yes), lines as materialized (
       select ${list} from json_populate_recordset(null::${name}, $3::json)
     ), strange as materialized (
       select count(*)::int as ids from lines
       where ${table.idsRoute && table.catalog !== null ? "" : "false and"} tenantry.placement_number_of(id) = any($4::int[]) is not true
     ), added as (
       insert into ${name} (database_id, organization_id, ${list})
       select $1, $2, ${list} from lines where (select ids from strange) = 0 and (select yes from owned)
       on conflict do nothing returning 1
     )
     select (select count(*) from lines)::int as read, (select count(*) from added)::int as added,
            (select ids from strange) as strange, (select yes from owned) as owned`,
    [placement.databaseId, placement.organizationId, json, numbers],
  );
  if (row === undefined) throw new Error("the insert returned no row");
  return row.owned ? row : owned.refuse();
}

async function countOwn(
  { database, placement }: ImportTarget,
  { table }: ExportedFile,
  { json }: LinesPiece,
): Promise<number> {
  const name = quoteQualified(table);
  const [row] = await database.query<{ own: number }>(
    "import.count_own",
    `select count(*)::int as own from json_populate_recordset(null::${name}, $3::json) lines
     join ${name} t on t.database_id = $1 and t.organization_id = $2 and t.id = lines.id`,
    [placement.databaseId, placement.organizationId, json],
  );
  return row?.own ?? 0;
}
