/** Provision: makes a placement's tenant database and its two links real, and the placement ACTIVE. */
import { findPlacementById, type Placement, setPlacementState } from "#engine/home/placements";
import { whileHoldingDatabase } from "#engine/home/shared-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { nudge } from "#engine/replication/nudge";
import { classifyFailure } from "#engine/jobs/failure";
import type { JobRun } from "#engine/jobs/job-run";
import { makeDatabase, recordMade } from "#engine/placements/make-database";
import type { Services } from "#engine/services";

/** Brings the placement to ACTIVE. On a failure writes FAILED with one sentence; the job runs again. */
export async function provisionPlacement(services: Services, run: JobRun<"provision-placement">): Promise<void> {
  const { placementId } = run.job;
  const placement = placementId === null ? undefined : await findPlacementById(services, placementId);
  // Revoked meanwhile, or made by an attempt whose end could not be recorded.
  if (placement === undefined || (placement.state !== "PROVISIONING" && placement.state !== "FAILED")) return;
  try {
    // Several placements can want the same database made.
    await whileHoldingDatabase(services, placement, () => provision(services, run, placement));
  } catch (error) {
    await setPlacementState(services, placement.id, "FAILED", classifyFailure(error).sentence);
    throw error;
  }
}

async function provision(services: Services, run: JobRun<"provision-placement">, placement: Placement): Promise<void> {
  const schemaVersion = await makeDatabase(
    services,
    { signal: run.signal, step: (name, work) => run.step(name, work) },
    placement,
  );
  await run.step("activate", () => activate(services, placement, schemaVersion));
}

async function activate(
  services: Pick<Services, "home">,
  placement: Placement,
  schemaVersion: SchemaVersion,
): Promise<void> {
  await recordMade(services, placement.databaseId, schemaVersion);
  await setPlacementState(services, placement.id, "ACTIVE");
  // From now on its carrier looks after it; what changed since the seed is waiting in the slots.
  await nudge(services.home, [
    { databaseId: placement.databaseId, direction: "directory" },
    { databaseId: placement.databaseId, direction: "catalog" },
  ]);
}
