/** How a link is doing, read from both servers. Changes nothing. */
import { currentLsn, findSlot } from "#replication/slot";
import { findSubscription } from "#replication/subscription";
import type { Link } from "#replication/link";

export type LinkStatus = {
  /** Slot and subscription are there, belong together, and the slot has not lost what the subscriber needs. */
  healthy: boolean;
  /** The subscription is disabled: no process runs for it. */
  parked: boolean;
  /** Bytes of WAL from what the subscriber confirmed to the publisher's end; null without a slot. */
  lagBytes: number | null;
};

export async function readLinkStatus(link: Link): Promise<LinkStatus> {
  const [slot, subscription, end] = await Promise.all([
    findSlot(link),
    findSubscription(link),
    currentLsn(link.publisher.database),
  ]);
  const confirmed = slot?.confirmed ?? null;
  return {
    healthy: slot !== undefined && slot.walStatus !== "lost" && subscription?.slotName === link.name,
    parked: subscription !== undefined && !subscription.enabled,
    lagBytes: confirmed === null ? null : Math.max(0, Number(end - confirmed)),
  };
}
