/** The life of a link: made, carried to a point, taken away. Every function can run again after a crash anywhere. */
import { waitFor } from "#kernel/wait";
import type { Lsn } from "#postgres/lsn";
import type { Link } from "#replication/link";
import { dropPublication, ensurePublication } from "#replication/publication";
import { seed } from "#replication/seed";
import { createSlot, dropSlot, findSlot } from "#replication/slot";
import { createSubscription, dropSubscription, enableSubscription, findSubscription } from "#replication/subscription";

/**
 * Makes the link, or completes a half-made one. The order matters: publication, slot, seed, subscription. The
 * subscription comes last, so where there is one, the copy was seeded.
 */
export async function establishLink(link: Link): Promise<void> {
  await ensurePublication(link);
  const [slot, subscription] = await Promise.all([findSlot(link), findSubscription(link)]);
  const usable = slot !== undefined && slot.walStatus !== "lost";
  if (usable && subscription?.slotName === link.name) {
    if (!subscription.enabled) await enableSubscription(link);
    return;
  }
  await dropSubscription(link);
  if (!usable) {
    if (slot !== undefined) await dropSlot(link);
    await createSlot(link);
  }
  await seed(link);
  await createSubscription(link);
  await enableSubscription(link);
}

/** Takes the link away, whatever is there of it. The publisher's and the subscriber's rows stay. */
export async function removeLink(link: Link): Promise<void> {
  await dropSubscription(link);
  await dropSlot(link);
  await dropPublication(link);
}

/** Waits until the subscriber has confirmed everything up to this position; false when the time is over. */
export async function waitUntilCarried(link: Link, lsn: Lsn, timeoutMs: number): Promise<boolean> {
  const carried = await waitFor(
    async () => {
      const slot = await findSlot(link);
      return slot?.confirmed != null && slot.confirmed >= lsn ? true : undefined;
    },
    { timeoutMs, pauseMs: 3, maxPauseMs: 50 },
  );
  return carried === true;
}
