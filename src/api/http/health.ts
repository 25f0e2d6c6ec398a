import { TenantryError } from "#base/kernel/errors";
import { orLate } from "#base/kernel/wait";
import { explainRefusal, HOME } from "#engine/failures/explain";
import type { Services } from "#engine/services";

const TIMEOUT_MS = 2_000;

/**
 * Why home does not answer as the API's role, without which nothing works; undefined when it does, in time. A region that is
 * down does not count.
 */
export async function findHomeFailure({ home }: Pick<Services, "home">): Promise<TenantryError | undefined> {
  try {
    await orLate(home.query("health.ready", "select 1"), TIMEOUT_MS, () => new Error("connection timeout: no answer"));
    return undefined;
  } catch (error) {
    return (
      explainRefusal(error, HOME) ?? new TenantryError(HOME.unavailable, "Home cannot be used now.", { cause: error })
    );
  }
}
