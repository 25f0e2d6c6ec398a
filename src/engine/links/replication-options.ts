import type { HomeDatabase, Transaction } from "#base/postgres/database";
import type { HeldTimes } from "#base/postgres/held-session";
import type { CarrierOptions } from "#engine/replication/carrier-options";
import { SWEEP_DEFAULTS, type SweepLimits } from "#engine/replication/sweep";

export type ReplicationOptions = {
  carrier: Partial<CarrierOptions>;
  limits: SweepLimits;
  /** Pause between two sweeps of a region. */
  sweepIntervalMs: number;
  /** How long a region that is given up is waited for. Then what was asked of its server is left behind. */
  stopWaitMs: number;
  /** How long the session that holds the regions is believed in. */
  held: Partial<HeldTimes>;
  /** What else is to be done where home was restored, in the transaction that notices it. */
  onHomeForgotten: (transaction: Transaction<"home">) => Promise<void>;
  /** The same for a region that was. */
  onRegionForgotten: (home: HomeDatabase, regionId: string) => Promise<void>;
};

export const REPLICATION_DEFAULTS: ReplicationOptions = {
  carrier: {},
  limits: SWEEP_DEFAULTS,
  sweepIntervalMs: 30_000,
  stopWaitMs: 3_000,
  held: {},
  onHomeForgotten: () => Promise.resolve(),
  onRegionForgotten: () => Promise.resolve(),
};
