/** What flows between home and a tenant database, by the versions of its schema. */
import type { ReplicatedDatabase } from "#engine/home/replicated-databases";
import { isBeyond } from "#engine/migrations/schema-version";
import type { DeclaredTables } from "#engine/tables";
import { type Flows, flowsInBoth, flowsInEither } from "#engine/replication/link";

type Versions = Pick<ReplicatedDatabase, "schemaVersion" | "migratingTo">;

/**
 * What flows for a database of this version: of both its versions, while a migration is changing it. Undefined when one is
 * newer than the program, which then does not know.
 */
export function flowsOf(tables: DeclaredTables, versions: Versions): Flows | undefined {
  return combineFlows(tables, versions, flowsInBoth);
}

/** What may still arrive: a change is sent with the columns that were published when it was written. */
export function acceptedFlowsOf(tables: DeclaredTables, versions: Versions): Flows | undefined {
  return combineFlows(tables, versions, flowsInEither);
}

function combineFlows(
  tables: DeclaredTables,
  { schemaVersion, migratingTo }: Versions,
  combine: (one: Flows, other: Flows) => Flows,
): Flows | undefined {
  if ([schemaVersion, migratingTo].some((version) => version !== null && isBeyond(version, tables.latest)))
    return undefined;
  const { flows } = tables.at(schemaVersion);
  return migratingTo === null ? flows : combine(flows, tables.at(migratingTo).flows);
}
