/** Makes the target of a move ready: its database, its links, and the organization's members in it. */
import { findMove, type Move } from "#engine/home/moves";
import { whileHoldingDatabase } from "#engine/home/shared-databases";
import { describeVersion, isSameVersion } from "#engine/migrations/schema-version";
import { TenantryError } from "#base/kernel/errors";
import { waitFor } from "#base/kernel/wait";
import { nudge } from "#engine/replication/nudge";
import { placedIn } from "#engine/moves/ends";
import { lookAtServer, makeDatabase, recordMade, requireRoom } from "#engine/placements/make-database";
import { projectMembers } from "#engine/placements/project-members";
import { regionAddress } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

/** Members arrive within a second as a rule. */
const DIRECTORY_TIMEOUT_MS = 60_000;
const NUDGE_TIMEOUT_MS = 1_000;

/**
 * Can run again after a crash at any point. Returns the move with the version of the target's schema in it. NOT_SYNCED while the
 * members have not arrived, CONFLICT where the two databases are at different schema versions.
 */
export async function prepareTarget(services: Services, move: Move, signal: AbortSignal): Promise<Move> {
  const target = placedIn(move, move.to);
  if (move.to.schemaVersion === null)
    await whileHoldingDatabase(services, target, async () => {
      // Another placement may have had the same database made while this one waited.
      const now = await findMove(services, move.placementId);
      if (now?.to.schemaVersion !== null) return;
      const looked = await lookAtServer(services, target);
      if (!looked.exists) {
        const address = await regionAddress(services, target.regionId);
        await requireRoom(services, services.pools.open("server", address, MAINTENANCE_DATABASE), looked);
      }
      // At home alone, and before the directory is copied.
      await projectMembers(services, target, signal);
      const version = await makeDatabase(services, { step: (_, work) => work() }, target, looked);
      await recordMade(services, target.databaseId, version);
    });
  else await projectMembers(services, target, signal);
  const ready = await findMove(services, move.placementId);
  if (ready === undefined) throw new TenantryError("CONFLICT", "The move was ended meanwhile.");
  refuseOtherVersion(ready);
  await waitForMembers(services, target.databaseId, signal);
  return ready;
}

function refuseOtherVersion({ from, to }: Move): void {
  if (from.schemaVersion !== null && to.schemaVersion !== null && isSameVersion(from.schemaVersion, to.schemaVersion))
    return;
  const say = ({ regionKey, schemaVersion }: Move["from"]) =>
    `${regionKey} is at ${schemaVersion === null ? "none" : describeVersion(schemaVersion)}`;
  throw new TenantryError(
    "CONFLICT",
    `The databases are at different schema versions: the one in ${say(from)}, the one in ${say(to)}. Run tenantry migrate, then retry.`,
  );
}

/** What is waited for was committed at home before. */
async function waitForMembers(
  services: Pick<Services, "home" | "nudges">,
  databaseId: number,
  signal: AbortSignal,
): Promise<void> {
  const links = [{ databaseId, direction: "directory" as const }];
  await nudge(services.home, [...links, { databaseId, direction: "catalog" }]);
  const arrived = await waitFor(
    async () => ((await services.nudges.carry(links, NUDGE_TIMEOUT_MS, signal)).length === 0 ? true : undefined),
    { timeoutMs: DIRECTORY_TIMEOUT_MS, signal },
  );
  if (arrived === undefined)
    throw new TenantryError(
      "NOT_SYNCED",
      "The organization's members have not arrived in the target yet; it is tried again.",
    );
}
