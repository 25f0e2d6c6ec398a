/** What can be wrong with a link: in a few words for people, and what mends it. */
import { TenantryError } from "#base/kernel/errors";
import { isConnectionFailure } from "#base/postgres/sql-state";
import { WrongTables } from "#engine/replication/subscription-strategy";

export type Damage = {
  readonly reason: string;
  /** Only a reseed mends it; else the connection is renewed first. */
  readonly reseed: boolean;
  /** Seen of a directory, it may mean that home was restored from a backup, without what catalogs had brought since. */
  readonly doubtsPublisher?: boolean;
};

export const DAMAGE = {
  slotGone: { reason: "the replication slot is gone", reseed: true, doubtsPublisher: true },
  slotLost: { reason: "the replication slot was lost: it fell too far behind", reseed: true },
  subscriptionGone: { reason: "the subscription is gone", reseed: true },
  publicationChanged: { reason: "the publication is gone or was changed", reseed: true },
  subscriberWentBack: { reason: "the subscriber was restored from a backup", reseed: true },
  publisherWentBack: { reason: "the publisher was restored from a backup", reseed: true, doubtsPublisher: true },
  homeDoubted: { reason: "home may have been restored from a backup", reseed: true },
  homeForked: { reason: "home's server was promoted or restored since the copy was made", reseed: true },
  regionForked: { reason: "the region's server was promoted or restored since the copy was made", reseed: true },
  confirmsLate: { reason: "the subscription confirms late, as those of older versions did", reseed: false },
  notConnecting: { reason: "the subscription does not connect to its publisher", reseed: false },
  notApplying: { reason: "the subscription cannot apply a change", reseed: false },
  unreachable: { reason: "a server cannot be reached", reseed: false },
  stepFailed: { reason: "a step failed on a server", reseed: false },
} as const satisfies Record<string, Damage>;

/** The gateway saw something that the link may not bring. It stays first in the slot, so only another slot mends it. */
export function breachOf(sentence: string): Damage {
  return { reason: sentence, reseed: true };
}

/** What a step failed with: in its own words where they are made for people. */
export function damageOf(error: unknown): Damage {
  if (error instanceof WrongTables) return { reason: error.message, reseed: true };
  if (error instanceof TenantryError) return { reason: error.message, reseed: false };
  return isConnectionFailure(error) ? DAMAGE.unreachable : DAMAGE.stepFailed;
}
