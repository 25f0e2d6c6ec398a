/** Erasure: a person's name and e-mail address are replaced at home and in every tenant database; what they wrote stays. */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { placementsOfDatabases, type Placement } from "#engine/home/placements";
import { eraseUserAtHome, type User } from "#engine/home/users";
import type { Services } from "#engine/services";
import { waitUntilUserVisible } from "#engine/links/visible-writes";

/** How long the call waits for the regions. They go on being told afterwards. */
const ERASE_TIMEOUT_MS = 10_000;

export type Erasure = {
  user: User;
  /** The placements that have not confirmed yet; empty when the erasure is complete. */
  pending: Placement[];
};

/** Erases a user. NOT_FOUND when there is none. Calling again waits again for what is pending. */
export async function eraseUser(services: Services, actor: Actor, userId: string): Promise<Erasure> {
  authorizeOperator(actor);
  const user = await eraseUserAtHome(services, userId);
  const late = await waitUntilUserVisible(services, userId, ERASE_TIMEOUT_MS);
  const pending = await placementsOfDatabases(
    services,
    late.map(({ databaseId }) => databaseId),
  );
  return { user, pending };
}
