import type { ReplicatedDatabase } from "#engine/home/replicated-databases";

/** Home, or a tenant database, that is not as it should be. */
export type Drift = {
  database: string;
  /** How many migrations it has, by itself; where it cannot be read, by home. */
  version: number;
  /** What differs, a sentence each; more than a few are cut off. */
  differences: string[];
};

export type DriftOfDatabase = Drift & Pick<ReplicatedDatabase, "databaseId" | "regionId">;

/** Compares these databases, each for `timeoutMs` at most, and says so of each that could not be in that time. */
export type CompareDatabases = (rows: readonly ReplicatedDatabase[], timeoutMs: number) => Promise<DriftOfDatabase[]>;
