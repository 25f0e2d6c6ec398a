/** What a move is asked to do. */
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Isolation } from "#engine/home/placements";
import type { Region } from "#engine/regions/regions";

export type MoveWish = {
  to: Region;
  isolation: Isolation;
  /** How long changes flow back after the switch. */
  keepSourceSeconds: number;
  /** Content may pass a worker that works for neither region. */
  throughOthers: boolean;
};

/** One side of a move. The address holds a password. */
export type Side = { key: string; id: string; address: ServerAddress };
