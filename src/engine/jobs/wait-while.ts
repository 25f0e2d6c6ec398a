import type { Actor } from "#engine/auth/actor";
import { PLACEMENT_CHANNEL, getPlacement, type Placement } from "#engine/home/placements";
import { TenantryError } from "#base/kernel/errors";
import { Wakeup } from "#base/kernel/wakeup";
import type { Services } from "#engine/services";

/** A call that asks for something slow returns after this long with the state reached. */
const MAX_WAIT_MS = 5_000;
/** How often the state is read when no notification comes. */
const LOOK_INTERVAL_MS = 500;

/**
 * Waits while the placement is in such a state, 5 s at most, and returns it as it is then; as it was last seen when it is
 * gone by then. NOT_FOUND when it was not there to begin with.
 */
export async function waitWhile(
  services: Pick<Services, "home" | "listener">,
  actor: Actor,
  placement: Placement | { id: string },
  isPassing: (placement: Placement) => boolean | Promise<boolean>,
): Promise<Placement> {
  const { id } = placement;
  const deadline = performance.now() + MAX_WAIT_MS;
  let last = "state" in placement ? placement : undefined;
  const wakeup = new Wakeup();
  const stopListening = await services.listener.on(PLACEMENT_CHANNEL, (changed) => {
    if (changed === id || changed === "") wakeup.wake();
  });
  try {
    for (;;) {
      try {
        last = await getPlacement(services, actor, id);
      } catch (error) {
        const isGone = error instanceof TenantryError && error.code === "NOT_FOUND";
        if (!isGone || last === undefined) throw error;
        return last;
      }
      const left = deadline - performance.now();
      if (left <= 0 || !(await isPassing(last))) return last;
      await wakeup.sleep(Math.min(left, LOOK_INTERVAL_MS));
    }
  } finally {
    stopListening();
  }
}

/** Whether it is being made: also while it has FAILED and is going to be tried again by itself. */
export async function isBeingMade({ home }: Pick<Services, "home">, { id, state }: Placement): Promise<boolean> {
  if (state !== "FAILED") return state === "PROVISIONING";
  const active = await home.query(
    "jobs.active",
    `select from tenantry.jobs
     where placement_id = $1 and kind = 'provision-placement' and state in ('WAITING', 'RUNNING')`,
    [id],
  );
  return active.length > 0;
}
