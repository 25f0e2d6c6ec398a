/** What flows between home and a tenant database, by the versions of its schema. */
import type { ReplicatedDatabase } from "#engine/home/replicated-databases";
import { flowChangesUpTo, type MigrationSet } from "#engine/migrations/migration-set";
import { type Flows, flowsAfter, flowsInBoth, flowsInEither } from "#engine/replication/link";

type Versions = Pick<ReplicatedDatabase, "schemaVersion" | "migratingTo">;

/**
 * What flows for a database of this version: of both its versions, while a migration is changing it. Undefined when one is
 * newer than the program, which then does not know.
 */
export function flowsOf(set: MigrationSet, versions: Versions): Flows | undefined {
  return combineFlows(set, versions, flowsInBoth);
}

/** What may still arrive: a change is sent with the columns that were published when it was written. */
export function acceptedFlowsOf(set: MigrationSet, versions: Versions): Flows | undefined {
  return combineFlows(set, versions, flowsInEither);
}

function combineFlows(
  set: MigrationSet,
  { schemaVersion, migratingTo }: Versions,
  combine: (one: Flows, other: Flows) => Flows,
): Flows | undefined {
  const version = schemaVersion ?? set.latestVersion;
  if (Math.max(version, migratingTo ?? 0) > set.latestVersion) return undefined;
  const flows = flowsAfter(flowChangesUpTo(set, version));
  return migratingTo === null ? flows : combine(flows, flowsAfter(flowChangesUpTo(set, migratingTo)));
}
