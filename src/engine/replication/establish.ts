/** Making a link whole. Every function can run again after a crash anywhere. */
import { LOCK_CLASS, whileLocked } from "#base/postgres/session-lock";
import { readServerHistory, type ServerHistory } from "#base/postgres/server-history";
import type { Link } from "#engine/replication/link";
import type { Direction } from "#engine/replication/names";
import { recordSeeded, recordTold } from "#engine/replication/link-record";
import { publicationMatches, publishNoMore, remakingPublication } from "#engine/replication/publication";
import { seed } from "#engine/replication/seed";
import { createSlot, droppingSlot, dropSlot, findSlot } from "#engine/replication/slot";
import {
  createSubscription,
  disableSubscription,
  dropSubscription,
  findSubscription,
  refreshConnection,
  untilNoWorker,
} from "#engine/replication/subscription";

const MEND_LOCK_TIMEOUT_MS = 60_000;

/** What is known of a tenant database that was made a moment ago. */
export type MadeNow = {
  /** Of its server, read since. */
  tenantHistory: ServerHistory;
};

/**
 * Makes the link, parked, or completes a half-made one; a whole one stays as it is. With `made` nothing is looked for in the
 * tenant database.
 */
export async function establishLink(link: Link, made?: MadeNow): Promise<void> {
  if (made !== undefined) await rebuild(link, made);
  // It can be carried already, and a carrier that finds it broken mends it.
  else if (!(await isWhole(link))) await whileNobodyMends(link, () => rebuild(link));
}

/** What {@link mend} says it did when only a new copy would help. */
export const RESEEDED = "the copy was reseeded";

/**
 * Makes a broken link whole without a person, and leaves it parked. With parts in place and `reseed` false only the
 * connection string is renewed, since a password may have changed. Returns what was done, in words.
 */
export async function mend(link: Link, { reseed }: { reseed: boolean }): Promise<string> {
  if (!reseed && (await isWhole(link))) {
    await disableSubscription(link);
    await untilNoWorker(link);
    await tellSubscriber(link);
    return "the connection was renewed";
  }
  // Two carriers can overlap for a moment when the session that holds a region breaks. A subscription of one on a slot
  // of the other, which has not seeded for it yet, would miss what came in between.
  await whileNobodyMends(link, () => rebuild(link));
  return RESEEDED;
}

/**
 * Brings a link to what it should publish now, after its database's version changed. Columns that are too many are taken
 * off in place; for new ones the copy is reseeded, as rows that are there are not sent again.
 */
export async function realignLink(link: Link): Promise<"unchanged" | "narrowed" | "reseeded"> {
  const narrowed = (await publishNoMore(link)) === "narrowed";
  if (await isWhole(link)) return narrowed ? "narrowed" : "unchanged";
  await mend(link, { reseed: true });
  return "reseeded";
}

/** Writes what the subscriber is to be told into its subscription, and notes that it was. */
export async function tellSubscriber(link: Link): Promise<void> {
  await refreshConnection(link);
  await recordTold(link);
}

function whileNobodyMends(link: Link, work: () => Promise<void>): Promise<void> {
  const home = (link.direction === "directory" ? link.publisher : link.subscriber).database;
  return whileLocked(home, LOCK_CLASS.mend, link.name, MEND_LOCK_TIMEOUT_MS, work);
}

/** Takes the subscriber's side away, when it is there. Waits for a reseed that is under way. */
export async function removeSubscriber(link: Link): Promise<void> {
  await whileNobodyMends(link, () => dropSubscription(link));
}

/** Takes the publisher's side away, when it is there. */
export async function removePublisher(link: Link): Promise<void> {
  await dropSlot(link, { withPublication: true });
}

/** Takes what a tenant database has of its two links away. One message, as its server may be far away. Nobody reads the slot. */
export async function removeTenantSide({ directory, catalog }: Record<Direction, Link>): Promise<void> {
  await whileNobodyMends(directory, () =>
    dropSubscription(directory, droppingSlot(catalog, { withPublication: true })),
  );
}

async function isWhole(link: Link): Promise<boolean> {
  const [slot, subscription, published] = await Promise.all([
    findSlot(link),
    findSubscription(link.subscriber.database, link.name),
    publicationMatches(link),
  ]);
  return published && slot !== undefined && slot.walStatus !== "lost" && subscription?.slotName === link.name;
}

/**
 * Publication, slot, seed, subscription: in this order. A change committed before the publication would be lost or
 * halt the subscriber, one committed after the slot is replayed, and the seed reads after the slot was made. The
 * subscription comes last, so where there is one, the copy was seeded. No writer of the source waits.
 *
 * The servers' histories are read first: one that is promoted meanwhile is on another than the one that is recorded. They
 * are recorded before the subscription is made: where there is one, it is known on what its copy rests.
 */
async function rebuild(link: Link, made?: MadeNow): Promise<void> {
  const isCatalog = link.direction === "catalog";
  const isNew = made !== undefined;
  const [publisher, subscriber] = await Promise.all([
    isCatalog && isNew ? made.tenantHistory : readServerHistory(link.publisher.database),
    !isCatalog && isNew ? made.tenantHistory : readServerHistory(link.subscriber.database),
  ]);
  if (!isNew || isCatalog) await dropSubscription(link);
  if (!isNew || !isCatalog) await dropSlot(link);
  const isToRemake = (isNew && isCatalog) || !(await publicationMatches(link));
  await createSlot(link, isToRemake ? { before: remakingPublication(link) } : {});
  await seed(link);
  await recordSeeded(link, publisher.history, subscriber.history);
  await createSubscription(link);
  await recordTold(link);
}
