/**
 * Read your writes: after a mutation that changes what is replicated, its links are nudged and waited for, so that
 * the caller's next query sees it on any instance. The wait is bounded; what has not arrived by then is said.
 */
import { currentCall } from "#base/kernel/call";
import {
  databasesOfOrganization,
  databasesOfUser,
  listWaiting,
  type WaitingLink,
} from "#engine/home/replicated-databases";
import { type Actor, viewerId } from "#engine/auth/actor";
import { waitFor } from "#base/kernel/wait";
import { recordWaiting } from "#engine/replication/link-record";
import type { LinkId } from "#engine/replication/nudge";
import type { Services } from "#engine/services";

/** A mutation waits at most this long for its change to arrive. */
export const VISIBLE_TIMEOUT_MS = 2_000;

/** A flow that has not caught up. `direction` is `catalog` (rows to home) or `directory` (members to the region). */
export type Lag = WaitingLink;

/** The links that a write went through and that have not carried it yet. */
export type LateLinks = readonly LinkId[];

/** Waits for a row to arrive in the catalog. Returns what is late. */
export function waitUntilInCatalog(
  services: Pick<Services, "home" | "logger" | "nudges">,
  databaseId: number,
): Promise<LinkId[]> {
  return databaseId === 0 ? Promise.resolve([]) : waitUntilCarried(services, [{ databaseId, direction: "catalog" }]);
}

/**
 * Waits for many rows to arrive in the catalog, as long as the caller says, and until `signal` when that is
 * earlier. Asks again and again: a nudge is lost when whoever carries the region is just being replaced.
 */
export async function waitUntilAllInCatalog(
  services: Pick<Services, "home" | "logger" | "nudges">,
  databaseId: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<LinkId[]> {
  const links: LinkId[] = [{ databaseId, direction: "catalog" }];
  let late = links;
  await waitFor(
    async () => {
      // Nothing is sent in a call that is over, so asking again would be for nothing.
      currentCall()?.signal.throwIfAborted();
      late = await waitUntilCarried(services, links, VISIBLE_TIMEOUT_MS, signal);
      return late.length === 0 || signal.aborted ? true : undefined;
    },
    { timeoutMs },
  );
  return late;
}

/** Waits for an organization's members to arrive in its regions. */
export async function waitUntilMembersVisible(
  services: Pick<Services, "home" | "logger" | "nudges">,
  organizationId: string,
): Promise<LinkId[]> {
  return waitUntilCarried(services, (await databasesOfOrganization(services, organizationId)).map(directory));
}

/** Waits for a user's name to arrive wherever it is known. */
export async function waitUntilUserVisible(
  services: Pick<Services, "home" | "logger" | "nudges">,
  userId: string,
  timeoutMs = VISIBLE_TIMEOUT_MS,
): Promise<LinkId[]> {
  return waitUntilCarried(services, (await databasesOfUser(services, userId)).map(directory), timeoutMs);
}

/** What is known not to have arrived, of what the actor may see. Empty nearly always. */
export function readLag(services: Pick<Services, "home">, actor: Actor): Promise<Lag[]> {
  return listWaiting(services, viewerId(actor));
}

function directory(databaseId: number): LinkId {
  return { databaseId, direction: "directory" };
}

async function waitUntilCarried(
  services: Pick<Services, "home" | "logger" | "nudges">,
  links: LinkId[],
  timeoutMs = VISIBLE_TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<LinkId[]> {
  try {
    const late = await services.nudges.carry(links, timeoutMs, signal);
    if (late.length > 0) await recordWaiting(services.home, late);
    return late;
  } catch (error) {
    // The mutation has happened; that nobody could be told is no reason to say it failed. The sweep will find it.
    services.logger.warn({ err: error }, "a nudge could not be sent");
    return links;
  }
}
