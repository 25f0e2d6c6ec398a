/** Follows a move on the terminal until the placement is ACTIVE. */
import type { WriteStream } from "node:tty";
import { bytes } from "#cli/output";
import { delay } from "#base/kernel/wait";
import { OPERATOR } from "#engine/auth/actor";
import { findMove, type Move, type MoveStep } from "#engine/home/moves";
import { findPlacementById, type Placement } from "#engine/home/placements";
import { listJobs } from "#engine/jobs/list-jobs";
import { findRegions } from "#engine/regions/regions";
import type { Services } from "#engine/services";

const LOOK_MS = 250;
const WIDTH = 20;

/** How it ended, or that nobody waits for it any more. */
export type MoveEnding =
  | { kind: "moved"; regionKey: string; heldWritesMs: number | null; keepUntil: Date | null }
  | { kind: "stayed"; regionKey: string; reason: string | null }
  | { kind: "left" };

/** Looks until it is over. Ctrl-C ends the looking and not the move. `begun`: as it was when it was asked for. */
export async function followMove(
  services: Services,
  begun: Placement,
  stream: WriteStream = process.stderr,
): Promise<MoveEnding> {
  const stop = new AbortController();
  const leave = () => stop.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, leave);
  const line = new MoveLine(stream);
  try {
    let last: Move | undefined;
    while (!stop.signal.aborted) {
      const move = await findMove(services, begun.id);
      const placement = await findPlacementById(services, begun.id);
      last = move ?? last;
      if (move !== undefined) line.show(move);
      const ending = await endingOf(services, { begun, placement, move, last });
      if (ending !== undefined) return ending;
      await delay(LOOK_MS, stop.signal).catch(() => undefined);
    }
    return { kind: "left" };
  } finally {
    line.end();
    for (const signal of signals) process.off(signal, leave);
  }
}

type Seen = { begun: Placement; placement: Placement | undefined; move: Move | undefined; last: Move | undefined };

/** Undefined: it goes on. */
async function endingOf(services: Services, { begun, placement, move, last }: Seen): Promise<MoveEnding | undefined> {
  if (placement === undefined) return { kind: "stayed", regionKey: "that is gone", reason: null };
  const isThere = placement.databaseId !== begun.databaseId;
  if (isThere && placement.state === "ACTIVE" && (move === undefined || move.isSwitched))
    return {
      kind: "moved",
      regionKey: await keyOf(services, placement.regionId),
      heldWritesMs: last?.heldMs ?? null,
      keepUntil: move?.keepUntil ?? null,
    };
  const failure = await failureOf(services, begun.id);
  if (move !== undefined && failure === null) return undefined;
  const reason = failure ?? last?.findings[0] ?? null;
  return { kind: "stayed", regionKey: await keyOf(services, placement.regionId), reason };
}

/** Why the job was given up; null: it was not. */
async function failureOf(services: Services, placementId: string): Promise<string | null> {
  const { rows } = await listJobs(services, OPERATOR, { state: null, placementId }, { first: 1, after: null });
  const [job] = rows;
  return job?.kind === "move-placement" && job.state === "FAILED" ? job.lastError : null;
}

async function keyOf(services: Services, regionId: string): Promise<string> {
  const [region] = await findRegions(services, [regionId]);
  return region?.key ?? "that is gone";
}

const DOING: Record<MoveStep, string> = {
  PREPARING: "preparing",
  COPYING: "copying",
  FOLLOWING: "following",
  COMPARING: "comparing",
  SWITCHING: "switching",
  KEEPING_SOURCE: "there, the source is kept",
  CLEANING: "removing what is left",
  CANCELLING: "called off",
};

/** One line that is written over on a terminal, a line for each step elsewhere. */
class MoveLine {
  readonly #stream: WriteStream;
  #step: MoveStep | undefined;
  #isShown = false;

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  show(move: Move): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001B[K${formatMove(move)}`);
      this.#isShown = true;
    } else if (this.#step !== move.step) this.#stream.write(`${formatMove(move)}\n`);
    this.#step = move.step;
  }

  end(): void {
    if (this.#isShown) this.#stream.write("\r\u001B[K");
  }
}

/** `copying  ████████░░░░░░░░░░░░  1,234/3,000 rows  12.3 MB  100 kB behind  writes held 120 ms` */
export function formatMove({ step, rowsCopied, rowsTotal, bytesCopied, lagBytes, heldMs }: Move): string {
  const share = rowsTotal === null || rowsTotal === 0 ? undefined : Math.min(1, rowsCopied / rowsTotal);
  const filled = Math.round((share ?? 0) * WIDTH);
  const rows = rowsCopied.toLocaleString("en");
  return [
    DOING[step],
    ...(share === undefined ? [] : ["█".repeat(filled) + "░".repeat(WIDTH - filled)]),
    rowsTotal === null ? `${rows} rows` : `${rows}/${rowsTotal.toLocaleString("en")} rows`,
    bytes(bytesCopied),
    ...(lagBytes === null ? [] : [`${bytes(lagBytes)} behind`]),
    ...(heldMs === null ? [] : [`writes held ${Math.round(heldMs)} ms`]),
  ].join("  ");
}
