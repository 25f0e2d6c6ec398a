/**
 * Erasure: a person's name and e-mail address are replaced at home, and the directory carries that to the regions. Jobs take
 * the person's id out of the app's tables, in every database.
 */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { findErasure, listDue, requestErasure } from "#engine/erasure/erasure-record";
import { placementsOfDatabases, type Placement } from "#engine/home/placements";
import { eraseUserAtHome, type User } from "#engine/home/users";
import { requesterOf } from "#engine/jobs/job";
import { waitUntilUserVisible } from "#engine/links/visible-writes";
import type { Services } from "#engine/services";
import { waitFor } from "#base/kernel/wait";

/** How long the call waits. The jobs go on afterwards. */
const ERASE_TIMEOUT_MS = 10_000;

export type UserErasure = {
  user: User;
  /** Whether it is done everywhere. */
  complete: boolean;
  /** The placements whose databases it has yet to reach. */
  pending: Placement[];
};

/**
 * Erases a user. NOT_FOUND when there is none. Calling again waits again for what is pending; when nothing is, all of it is done
 * anew.
 */
export async function eraseUser(
  services: Pick<Services, "eraseSql" | "home" | "logger" | "nudges">,
  actor: Actor,
  userId: string,
): Promise<UserErasure> {
  authorizeOperator(actor);
  const { home, eraseSql } = services;
  const user = await home.transaction(async (transaction) => {
    const erased = await eraseUserAtHome({ home: transaction }, userId);
    await requestErasure(transaction, { userId, requestedBy: requesterOf(actor), eraseSql });
    return erased;
  });
  const [late] = await Promise.all([
    waitUntilUserVisible(services, userId, ERASE_TIMEOUT_MS),
    waitFor(async () => ((await isDue(services, userId)) ? undefined : true), { timeoutMs: ERASE_TIMEOUT_MS }),
  ]);
  const due = await listDue(home, userId, null);
  const databaseIds = [...new Set([...due, ...late].map(({ databaseId }) => databaseId))];
  return {
    user,
    complete: databaseIds.length === 0 && !(await isDue(services, userId)),
    pending: await placementsOfDatabases(services, databaseIds),
  };
}

async function isDue({ home }: Pick<Services, "home">, userId: string): Promise<boolean> {
  const erasure = await findErasure(home, userId);
  return erasure?.homeIsDue === true || (await listDue(home, userId, null)).length > 0;
}
