/** Retention of the audit log: an operator takes old entries away, at home and in the regions. */
import { MIN_AGE_DAYS } from "#base/postgres/append-only";
import { pruneEntries, pruneHomeEntries } from "#engine/audit/prune";
import { listTenantDatabases } from "#engine/home/tenant-databases";
import { type OwnedPieces, ownedPieces } from "#engine/regions/owned-pieces";
import { regionAddress } from "#engine/regions/region-address";
import { invalidInput } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import type { Services } from "#engine/services";

const DAY_MS = 24 * 60 * 60_000;

/** How many entries went, by database, and which databases still have theirs and why. */
export type Pruning = {
  pruned: { database: string; entries: number }[];
  failed: { database: string; reason: string }[];
};

/**
 * Removes entries from before a moment. INVALID_INPUT for one less than {@link MIN_AGE_DAYS} days ago. A database that cannot
 * be reached is named; the others go on. Run again it goes on where it was.
 */
export async function pruneAuditLog(
  services: Pick<Services, "home" | "installation" | "ownership" | "pools" | "secrets">,
  before: Date,
): Promise<Pruning> {
  if (!(before.getTime() <= Date.now() - MIN_AGE_DAYS * DAY_MS))
    throw invalidInput("before", `before must be a moment at least ${MIN_AGE_DAYS} days ago.`);
  const pruning: Pruning = {
    pruned: [{ database: "home", entries: await pruneHomeEntries(services.home, before) }],
    failed: [],
  };
  const pieces = new Map<string, OwnedPieces>();
  for (const { name, regionId } of await listTenantDatabases(services)) {
    try {
      const owned = pieces.get(regionId) ?? (await ownedPieces(services, regionId));
      pieces.set(regionId, owned);
      const database = services.pools.open("tenant", await regionAddress(services, regionId), name);
      pruning.pruned.push({ database: name, entries: await pruneEntries(database, before, owned) });
    } catch (error) {
      pruning.failed.push({ database: name, reason: redactedMessage(error) });
    }
  }
  return pruning;
}
