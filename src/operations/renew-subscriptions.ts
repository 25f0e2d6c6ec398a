/** Writes the current addresses and passwords of home and of a region's server into the subscriptions on both sides. */
import { requireSameServerAt } from "#directory/replication-address";
import { listCarriedRegions, listReplicatedDatabases } from "#directory/replicated-databases";
import { OPERATOR } from "#auth/actor";
import { forEachOf } from "#kernel/turns";
import type { SecretBox } from "#kernel/secret-box";
import { formatConnectionString } from "#postgres/connection-url";
import type { Queryable } from "#postgres/database";
import { findSubscription, refreshConnection } from "#replication/subscription";
import { onRegion, requestOperation, requesterOf } from "#operations/operation";
import type { OperationRun } from "#operations/operation-run";
import type { Services } from "#operations/services";
import { tenantLinks } from "#operations/tenant-links";

/** What home's own address is sealed for. */
export const HOME_ADDRESS = "home-address";

/** How many tenant databases are looked at together. */
const CONCURRENCY = 4;

/** Renews every subscription of the region's tenant databases. One that is missing is left to its carrier. */
export async function renewSubscriptions(services: Services, run: OperationRun<"renew-subscriptions">): Promise<void> {
  const { regionId } = run.operation;
  if (regionId === null) return;
  await run.step("renew", async () =>
    forEachOf(await listReplicatedDatabases(services, { regionId }), CONCURRENCY, async (database) => {
      const links = await tenantLinks(services, database);
      for (const link of [links.catalog, links.directory])
        if ((await findSubscription(link)) !== undefined) await refreshConnection(link);
    }),
  );
}

/**
 * Compares the address by which subscriptions reach home with the one that they were told, and has them renewed when it is
 * another. Throws in one sentence where that leads to another server, as far as it leads anywhere from here.
 */
export async function noticeHomeAddress(services: Services): Promise<void> {
  const { home, secrets, pools, homeReachedAt } = services;
  const { homeDatabaseName: database, homeSystemIdentifier: systemIdentifier } = services;
  const address = formatConnectionString(homeReachedAt.address, database);
  if (await isTold(home, secrets, address)) return;
  // Before the transaction: where nothing answers it takes seconds, and slots wait for transactions.
  if (homeReachedAt.setting === "DATABASE_REPLICATION_URL")
    await requireSameServerAt(pools, homeReachedAt, { database, systemIdentifier });
  await home.transaction(async (transaction) => {
    await transaction.query("installation.lock", "select from tenantry.installation for update");
    if (await isTold(transaction, secrets, address)) return;
    await transaction.query("installation.set_address", "update tenantry.installation set home_address = $1", [
      secrets.seal(address, HOME_ADDRESS),
    ]);
    for (const regionId of await listCarriedRegions({ home: transaction }))
      await requestOperation(transaction, requesterOf(OPERATOR), onRegion("renew-subscriptions", regionId));
  });
}

async function isTold(home: Queryable<"home">, secrets: SecretBox, address: string): Promise<boolean> {
  const [row] = await home.query<{ sealed: Buffer | null }>(
    "installation.address",
    "select home_address as sealed from tenantry.installation",
  );
  return row?.sealed != null && secrets.open(row.sealed, HOME_ADDRESS) === address;
}
