/** Moves as home records them: a placement that is on its way from one tenant database to another one. */
import { VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { Isolation } from "#engine/home/placements";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import type { Queryable } from "#base/postgres/database";

/** Where a move is. After SWITCHING the placement is in the target. */
export const MOVE_STEPS = [
  "PREPARING",
  "COPYING",
  "FOLLOWING",
  "COMPARING",
  "SWITCHING",
  "KEEPING_SOURCE",
  "CLEANING",
  "CANCELLING",
] as const;
export type MoveStep = (typeof MOVE_STEPS)[number];

/** One of the two tenant databases of a move. */
export type MoveEnd = {
  databaseId: number;
  database: string;
  regionId: string;
  regionKey: string;
  isolation: Isolation;
  schemaVersion: SchemaVersion | null;
};

export type Move = {
  placementId: string;
  /** Of the placement: stands in its rows' ids. */
  number: number;
  organizationId: string;
  from: MoveEnd;
  to: MoveEnd;
  /** Whether the placement is in `to` already. */
  isSwitched: boolean;
  step: MoveStep;
  keepSourceSeconds: number;
  goesThroughOthers: boolean;
  startedAt: Date;
  cancelledAt: Date | null;
  switchedAt: Date | null;
  keepUntil: Date | null;
  verifiedAt: Date | null;
  copiedTables: string[];
  rowsCopied: number;
  bytesCopied: number;
  rowsTotal: number | null;
  lagBytes: number | null;
  heldMs: number | null;
  findings: string[];
};

const END = (
  database: string,
  region: string,
) => `json_build_object('databaseId', ${database}.id, 'database', ${database}.name,
  'regionId', ${region}.id, 'regionKey', ${region}.key, 'isolation', ${database}.isolation,
  'schemaVersion', ${VERSION_OF_DATABASE.replaceAll("d.", `${database}.`)})`;

const SELECT = `
  select m.placement_id as "placementId", p.number, p.organization_id as "organizationId",
         ${END("f", "fr")} as "from", ${END("t", "tr")} as "to", m.other_database_id = m.from_database_id as "isSwitched", m.step,
         m.keep_source_seconds as "keepSourceSeconds", m.goes_through_others as "goesThroughOthers", m.started_at as "startedAt",
         m.cancelled_at as "cancelledAt", m.switched_at as "switchedAt", m.keep_until as "keepUntil",
         m.verified_at as "verifiedAt", m.copied_tables as "copiedTables", m.rows_copied::float8 as "rowsCopied",
         m.bytes_copied::float8 as "bytesCopied", m.rows_total::float8 as "rowsTotal", m.lag_bytes::float8 as "lagBytes",
         m.held_ms as "heldMs", m.findings
  from tenantry.moves m join tenantry.placements p on p.id = m.placement_id
  join tenantry.tenant_databases f on f.id = m.from_database_id join tenantry.regions fr on fr.id = f.region_id
  join tenantry.tenant_databases t on t.id = m.to_database_id join tenantry.regions tr on tr.id = t.region_id`;

/** The moves of these placements, of those that are on one. */
export function findMoves({ home }: { home: Queryable<"home"> }, placementIds: readonly string[]): Promise<Move[]> {
  return home.query<Move>("moves.find", `${SELECT} where m.placement_id = any($1::uuid[])`, [placementIds]);
}

/** The placement's move, or undefined. */
export async function findMove({ home }: { home: Queryable<"home"> }, placementId: string): Promise<Move | undefined> {
  return (await findMoves({ home }, [placementId]))[0];
}

/** What a move notes while it goes on. What is left out stays as it was. */
export type MoveProgress = Partial<
  Pick<
    Move,
    | "step"
    | "copiedTables"
    | "rowsCopied"
    | "bytesCopied"
    | "rowsTotal"
    | "lagBytes"
    | "heldMs"
    | "findings"
    | "verifiedAt"
  >
>;

const COLUMN_OF: Record<keyof MoveProgress, string> = {
  step: "step",
  copiedTables: "copied_tables",
  rowsCopied: "rows_copied",
  bytesCopied: "bytes_copied",
  rowsTotal: "rows_total",
  lagBytes: "lag_bytes",
  heldMs: "held_ms",
  findings: "findings",
  verifiedAt: "verified_at",
};

/** Notes how far a move is. */
export async function noteProgress(
  { home }: { home: Queryable<"home"> },
  placementId: string,
  progress: MoveProgress,
): Promise<void> {
  const names = (Object.keys(progress) as (keyof MoveProgress)[]).filter((name) => progress[name] !== undefined);
  if (names.length === 0) return;
  const set = names.map((name, index) => `${COLUMN_OF[name]} = $${index + 2}`).join(", ");
  await home.query("moves.progress", `update tenantry.moves set ${set} where placement_id = $1`, [
    placementId,
    ...names.map((name) => progress[name]),
  ]);
}

/** The stream of a move, as far as its name says it: the database that publishes, and the placement's number. */
export type MoveStream = { readonly databaseId: number; readonly number: number };

/** Gateways hear that a move has begun, turned round or ended, and end what streams by the one before. */
export const MOVES_CHANNEL = "tenantry_moves";

/** Which database publishes and which one subscribes: the placement's own, and the other one. */
export function streamOf({ from, to, isSwitched }: Pick<Move, "from" | "to" | "isSwitched">): {
  publisher: MoveEnd;
  subscriber: MoveEnd;
} {
  return isSwitched ? { publisher: to, subscriber: from } : { publisher: from, subscriber: to };
}

/** The move that this stream belongs to, while it may stream: not from the other database, and not when the other one is being cleaned. */
export async function findStreamedMove(
  { home }: { home: Queryable<"home"> },
  { databaseId, number }: MoveStream,
): Promise<Move | undefined> {
  const [move] = await home.query<Move>(
    "moves.streamed",
    `${SELECT} where p.number = $1 and $2 in (m.from_database_id, m.to_database_id) and $2 <> m.other_database_id
       and m.step <> 'CLEANING'`,
    [number, databaseId],
  );
  return move;
}

/** What the subscription of the move's stream was told, as a mark, and why the gateway ended the stream for good. */
export type StreamRecord = { told: string | null; breach: string | null };

export async function readStreamRecord(
  { home }: { home: Queryable<"home"> },
  placementId: string,
): Promise<StreamRecord> {
  const [row] = await home.query<StreamRecord>(
    "moves.stream",
    "select told, breach from tenantry.moves where placement_id = $1",
    [placementId],
  );
  return row ?? { told: null, breach: null };
}

/** Records what was given of it. */
export async function noteStream(
  { home }: { home: Queryable<"home"> },
  placementId: string,
  record: Partial<StreamRecord>,
): Promise<void> {
  await home.query(
    "moves.note_stream",
    `update tenantry.moves set told = case when $2::jsonb ? 'told' then $2::jsonb ->> 'told' else told end,
       breach = case when $2::jsonb ? 'breach' then $2::jsonb ->> 'breach' else breach end
     where placement_id = $1`,
    [placementId, JSON.stringify(record)],
  );
}

/** The gateway ended the stream because of what came in it. It stays first in the slot, so the move cannot go on with this one. */
export async function recordBreach(
  { home }: { home: Queryable<"home"> },
  { databaseId, number }: MoveStream,
  sentence: string,
): Promise<void> {
  await home.query(
    "moves.breach",
    `update tenantry.moves m set breach = $3 from tenantry.placements p
     where p.id = m.placement_id and p.number = $1 and $2 <> m.other_database_id`,
    [number, databaseId, sentence],
  );
}
