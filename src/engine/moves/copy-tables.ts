/**
 * The copy of a move: each table by one COPY out of the source into one COPY of the target, in a transaction of the target's own,
 * so that after a crash a table is whole or empty there. What is written meanwhile comes by the move's stream, whose slot was made
 * before: to send a row twice is harmless (engine/schema/tenant).
 *
 * COPY and not the table sync of a subscription: that has no progress to show and no end in sight, begins a large table from its
 * first row after any break and with a slot of its own for each table, cannot give rows the target's number, and would pass the
 * gateway, whose reader looks at each row. It was not faster either (bench/move-copy.ts).
 *
 * As text and not in the binary form: that is as each type has it inside, so a type of an extension, an array, a range or a record
 * of one is read wrong or refused where the two sides have other numbers for types or another version of the extension.
 */
import { TenantryError } from "#base/kernel/errors";
import { failpoint } from "#base/kernel/failpoints";
import { withoutAppendOnly } from "#base/postgres/append-only";
import { copyBetween, type Copied, type CopyOptions } from "#base/postgres/copy-between";
import type { Session, TenantDatabase } from "#base/postgres/database";
import { quoteIdentifier, quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import { inPieces } from "#base/postgres/pieces";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import {
  AUDIT_TABLE,
  isMoved,
  listColumns,
  type Moved,
  type MovedTable,
  type Side,
  storedColumns,
} from "#engine/moves/moved-tables";

export type CopyTables = Pick<CopyOptions, "silentMs"> & {
  /** Tables that an earlier attempt has copied whole. */
  readonly done: readonly string[];
  readonly signal: AbortSignal;
  /** At most once a second: all that was copied in this attempt so far. */
  readonly onProgress?: (copied: Copied) => void;
  /** A table is whole, and durable in the target. Waited for. */
  readonly onTable?: (table: string, copied: Copied) => Promise<void>;
};

/** How triggers and foreign keys are kept from firing for what is copied: they fired where the rows were written. */
const AS_REPLICA = "session_replication_role";
/**
 * Of which organization and for which database. The engine's triggers refuse other rows then, as the source is not trusted, and those
 * for rows that a stream sends do not look at what is copied.
 */
const COPYING = "tenantry.copying";

/** Rows deleted by one statement. */
const PIECE_ROWS = 5_000;

/**
 * Copies what moves, table by table, in the order of `tables`. What the target has of the tables that are not done, of a former
 * attempt or a former stay, is deleted before. The target refuses writers of the placement meanwhile: without that, rows there are not
 * deleted. Returns how much was copied in this attempt, and what an operator should know. CONFLICT where both sides' tables differ, or
 * for rows that may be somebody's; else the driver's errors. Done again it goes on.
 */
export async function copyTables(
  from: Side,
  to: Side,
  moved: Moved,
  tables: readonly MovedTable[],
  options: CopyTables,
): Promise<Copied & { findings: string[] }> {
  const left = tables.filter(({ name }) => !options.done.includes(name));
  const columns = await sameColumns(from.database, to.database, left);
  const asReplica = await mayBeReplica(to.database);
  await emptyTables(to, moved, left, { asReplica, signal: options.signal });
  const sum = { rows: 0, bytes: 0 };
  await from.database.session((source) =>
    to.database.session(async (target) => {
      for (const table of left) {
        options.signal.throwIfAborted();
        const copied = await copyTable(
          { ...from, session: source },
          { ...to, session: target },
          moved,
          { table, columns: columns.get(table.name) ?? [], asReplica },
          { ...options, onProgress: (now) => options.onProgress?.(added(sum, now)) },
        );
        Object.assign(sum, added(sum, copied));
        await failpoint(`moves.copied:${table.name}`);
        await options.onTable?.(table.name, { ...sum });
      }
    }),
  );
  return { ...sum, findings: asReplica ? [] : [TRIGGERS_FIRE] };
}

export const TRIGGERS_FIRE =
  "The operator's role on the target's server may not set session_replication_role, so triggers and foreign keys of your tables fire for each row that is copied, and the copy takes longer: grant set on parameter session_replication_role to it, or have the triggers expect that.";

function added(a: Copied, b: Copied): Copied {
  return { rows: a.rows + b.rows, bytes: a.bytes + b.bytes };
}

type OnSession = Side & { readonly session: Session<"tenant"> };

async function copyTable(
  from: OnSession,
  to: OnSession,
  moved: Moved,
  { table, columns, asReplica }: { table: MovedTable; columns: readonly string[]; asReplica: boolean },
  { signal, silentMs, onProgress }: CopyTables,
): Promise<Copied> {
  const selected = columns.map((column) =>
    table.isRenumbered && column === "database_id"
      ? `${Math.trunc(to.databaseId)} as database_id`
      : `t.${quoteIdentifier(column)}`,
  );
  const name = quoteQualified(table.name);
  // What `money` looks like is a server's own.
  const begin = "begin; set local lc_monetary = 'C'";
  await Promise.all([
    from.session.script("moves.begin_table", `${begin}; set transaction read only`),
    to.session.script("moves.begin_table", `${begin}; ${settings(moved, to, asReplica)}`),
  ]);
  const copied = await copyBetween(
    "moves.copy",
    {
      session: from.session,
      out: `copy (select ${selected.join(", ")} from ${name} t where ${isMoved(moved, table, from)}) to stdout`,
    },
    { session: to.session, into: `copy ${name} (${listColumns(columns)}) from stdin` },
    { signal, ...(silentMs !== undefined && { silentMs }), ...(onProgress !== undefined && { onProgress }) },
  );
  await failpoint(`moves.copying:${table.name}`);
  // The triggers that note a change for the carrier of links have not fired.
  const note = table.flows && asReplica ? "insert into tenantry.catalog_changes default values; " : "";
  await Promise.all([
    from.session.script("moves.end_table", "commit"),
    to.session.script("moves.end_table", `${note}commit`),
  ]);
  return copied;
}

/** For one transaction. */
function settings({ organizationId }: Moved, { databaseId }: Side, asReplica: boolean): string {
  const copying = quoteLiteral(`${organizationId}/${Math.trunc(databaseId)}`);
  return `select set_config('${COPYING}', ${copying}, true)${asReplica ? `, set_config('${AS_REPLICA}', 'replica', true)` : ""}`;
}

/** Rows go by the columns' names. Migrations wait while a placement moves, so both have the same. */
async function sameColumns(
  from: TenantDatabase,
  to: TenantDatabase,
  tables: readonly MovedTable[],
): Promise<Map<string, string[]>> {
  const [source, target] = await Promise.all([from, to].map((database) => storedColumns(database, tables)));
  for (const { name } of tables) {
    const [here, there] = [source, target].map((columns) => columns?.get(name) ?? []);
    if (here === undefined || here.length === 0 || here.toSorted().join("\0") !== there?.toSorted().join("\0"))
      throw new TenantryError(
        "CONFLICT",
        `The table ${name} has other columns in the source than in the target: bring both databases to one schema version with tenantry migrate, and look for what was changed by hand with tenantry doctor.`,
      );
  }
  return source ?? new Map();
}

/** A provider can let a role set it that PostgreSQL's own rules do not, and the other way round, so it is tried. */
async function mayBeReplica(database: TenantDatabase): Promise<boolean> {
  try {
    await database.query("moves.as_replica", `select set_config('${AS_REPLICA}', 'replica', true)`);
    return true;
  } catch (error) {
    if (sqlState(error) === SQL_STATE.insufficientPrivilege) return false;
    throw error;
  }
}

/** Deletes what the target has of the tables, those that refer to others first. */
async function emptyTables(
  to: Side,
  moved: Moved,
  tables: readonly MovedTable[],
  { asReplica, signal }: { asReplica: boolean; signal: AbortSignal },
): Promise<void> {
  const filled = await findFilled(to, moved, tables);
  if (filled.length === 0) return;
  const [closed] = await to.database.query<{ yes: boolean }>(
    "moves.target_is_closed",
    "select exists (select from tenantry.closed_placements where number = $1) as yes",
    [moved.number],
  );
  // Whoever wrote them may rely on them: what moves is not here yet.
  if (closed?.yes !== true)
    throw new TenantryError(
      "CONFLICT",
      `The target has rows of the organization in ${filled[0]?.name}, and its database takes writes of the placement: nothing is deleted there.`,
    );
  for (const table of filled.toReversed()) {
    if (table.name === AUDIT_TABLE) await emptyAuditLog(to, moved, signal);
    else await emptyTable(to, moved, table, { asReplica, signal });
  }
}

async function findFilled(to: Side, moved: Moved, tables: readonly MovedTable[]): Promise<MovedTable[]> {
  if (tables.length === 0) return [];
  const rows = await to.database.query<{ name: string }>(
    "moves.find_filled",
    tables
      .map(
        ({ name }, index) =>
          `select $${index + 2}::text as name where exists (select from ${quoteQualified(name)} where organization_id = $1)`,
      )
      .join(" union all "),
    [moved.organizationId, ...tables.map(({ name }) => name)],
  );
  return tables.filter(({ name }) => rows.some((row) => row.name === name));
}

function emptyTable(
  to: Side,
  moved: Moved,
  table: MovedTable,
  { asReplica, signal }: { asReplica: boolean; signal: AbortSignal },
): Promise<void> {
  const name = quoteQualified(table.name);
  // Rows may refer to others of their own table: where foreign keys are looked at, they go at once.
  const limit = asReplica ? String(PIECE_ROWS) : "all";
  return inPieces(
    to.database,
    async (session, after) => {
      const results = await session.batch("moves.empty_table", [
        { text: settings(moved, to, asReplica) },
        {
          text: `with piece as materialized (
             select id from ${name} where organization_id = $1${after === null ? "" : " and id > $2"} order by id limit ${limit}
           ), gone as (
             delete from ${name} where organization_id = $1 and id = any (array(select id from piece))
           )
           select id as last from piece order by id desc limit 1`,
          values: [moved.organizationId, ...(after === null ? [] : [after])],
        },
      ]);
      const [row] = (results[1] ?? []) as { last: string }[];
      return row?.last ?? null;
    },
    signal,
  );
}

/** Its rows cannot be deleted but by whoever lifts that for one transaction. They are the source's, and come again. */
async function emptyAuditLog(to: Side, { organizationId }: Moved, signal: AbortSignal): Promise<void> {
  let gone: number;
  do {
    signal.throwIfAborted();
    gone = await to.database.transaction((transaction) =>
      withoutAppendOnly(transaction, ["audit_log"], async () => {
        const rows = await transaction.query<{ id: string }>(
          "moves.empty_audit_log",
          `delete from tenantry.audit_log where organization_id = $1 and id = any (array(
             select id from tenantry.audit_log where organization_id = $1 order by id limit $2)) returning id`,
          [organizationId, PIECE_ROWS],
        );
        return rows.length;
      }),
    );
  } while (gone === PIECE_ROWS);
}
