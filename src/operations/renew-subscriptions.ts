/** Writes the current addresses and passwords of home and of a region's server into the subscriptions on both sides. */
import { listCarriedRegions, listReplicatedDatabases } from "#directory/replicated-databases";
import { OPERATOR } from "#auth/actor";
import { formatConnectionString } from "#postgres/connection-url";
import { findSubscription, refreshConnection } from "#replication/subscription";
import { regionSubject, requestOperation, requesterOf } from "#operations/operation";
import type { OperationRun } from "#operations/operation-run";
import type { Services } from "#operations/services";
import { tenantLinks } from "#operations/tenant-links";

/** How many tenant databases are looked at together. */
const CONCURRENCY = 4;

/** Renews every subscription of the region's tenant databases. One that is missing is left to its carrier. */
export async function renewSubscriptions(services: Services, run: OperationRun<"renew-subscriptions">): Promise<void> {
  const { regionId } = run.operation;
  if (regionId === null) return;
  await run.step("renew", async () => {
    const queue = await listReplicatedDatabases(services, { regionId });
    const worker = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const links = await tenantLinks(services, next);
        for (const link of [links.catalog, links.directory])
          if ((await findSubscription(link)) !== undefined) await refreshConnection(link);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  });
}

/** Compares home's address with the one that subscriptions were told, and has them renewed when it is another. */
export async function noticeHomeAddress(services: Services): Promise<void> {
  const digest = services.secrets.digest(formatConnectionString(services.homeAddress, services.homeDatabaseName));
  await services.home.transaction(async (transaction) => {
    const [row] = await transaction.query<{ digest: Buffer | null }>(
      "installation.address",
      "select address_digest as digest from tenantry.installation for update",
    );
    if (row?.digest?.equals(digest) === true) return;
    await transaction.query("installation.set_address", "update tenantry.installation set address_digest = $1", [
      digest,
    ]);
    // The first time nothing was told anything else.
    if (row?.digest == null) return;
    for (const regionId of await listCarriedRegions({ home: transaction }))
      await requestOperation(transaction, requesterOf(OPERATOR), {
        kind: "renew-subscriptions",
        subject: regionSubject(regionId),
        regionId,
      });
  });
}
