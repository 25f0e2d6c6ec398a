/**
 * Provision: makes a placement's tenant database and its two links real, or takes what was made ahead. Reads the real state of the
 * servers and does what is missing, so that it can run again after a crash at any point.
 */
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import { findPlacementById, type Placement, setPlacementState } from "#engine/home/placements";
import { whileHoldingDatabase } from "#engine/home/shared-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { nudge } from "#engine/replication/nudge";
import { classifyFailure } from "#engine/jobs/failure";
import type { JobRun } from "#engine/jobs/job-run";
import { identify, lookAtServer, makeDatabase, makeLinks, requireRoom } from "#engine/placements/make-database";
import { projectMembers } from "#engine/placements/project-members";
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
  const looked = await lookAtServer(services, placement);
  if (!looked.exists) {
    const address = await regionAddress(services, placement.regionId);
    await requireRoom(services, services.pools.open("server", address, MAINTENANCE_DATABASE), looked);
  }
  // At home alone, and before the directory is copied.
  await run.step("project-members", () => projectMembers(services, placement, run.signal));
  const { schemaVersion: made } = placement;
  const wasMadeAhead = placement.isolation === "DEDICATED" && looked.exists && made !== null;
  const schemaVersion = wasMadeAhead
    ? await takeReady(services, run, placement)
    : await makeDatabase(services, run, placement, looked);
  await run.step("activate", () => activate(services, placement, schemaVersion));
}

/** It has all that a new one gets. What it holds is looked at: home may have forgotten that it gave it away before. */
async function takeReady(
  services: Services,
  run: JobRun<"provision-placement">,
  placement: Placement,
): Promise<SchemaVersion> {
  const schemaVersion = await run.step("identify", () => identify(services, placement, { isNew: false }));
  await makeLinks(services, run, { ...placement, schemaVersion });
  return schemaVersion;
}

async function activate(
  services: Pick<Services, "home">,
  placement: Placement,
  schemaVersion: SchemaVersion,
): Promise<void> {
  await services.home.query(
    "tenant_databases.set_version",
    "update tenantry.tenant_databases set engine_version = $2, app_version = $3, made_at = clock_timestamp() where id = $1 and engine_version is null",
    [placement.databaseId, schemaVersion.engine, schemaVersion.app],
  );
  await setPlacementState(services, placement.id, "ACTIVE");
  // From now on its carrier looks after it; what changed since the seed is waiting in the slots.
  await nudge(services.home, [
    { databaseId: placement.databaseId, direction: "directory" },
    { databaseId: placement.databaseId, direction: "catalog" },
  ]);
}
