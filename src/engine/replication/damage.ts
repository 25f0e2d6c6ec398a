/** What can be wrong with a link: in a few words for people, and what mends it. */
import { TenantryError } from "#base/kernel/errors";
import { explainRefusal } from "#engine/failures/explain";
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
  slotIdle: {
    reason:
      "the replication slot was lost: it rested for longer than the server's idle_replication_slot_timeout allows",
    reseed: true,
  },
  slotWithoutLevel: { reason: "the replication slot was lost: the server's wal_level was not logical", reseed: true },
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
  stepFailed: { reason: "a step failed on a server", reseed: false },
} as const satisfies Record<string, Damage>;

/**
 * What ended a slot, by `invalidation_reason`, which servers have from 17 on. The others end one for one reason. What a
 * server says of itself decides about words only: any lost slot is made anew.
 */
export function damageOfLostSlot(invalidation: string | null): Damage {
  if (invalidation === "idle_timeout") return DAMAGE.slotIdle;
  return invalidation === "wal_level_insufficient" ? DAMAGE.slotWithoutLevel : DAMAGE.slotLost;
}

/** Of a row of pg_replication_slots named `s`: why it is lost; null where it is not, or where the server does not say. */
export const INVALIDATION_SQL = "case when s.wal_status = 'lost' then to_jsonb(s) ->> 'invalidation_reason' end";

/** The gateway saw something that the link may not bring. It stays first in the slot, so only another slot mends it. */
export function breachOf(sentence: string): Damage {
  return { reason: sentence, reseed: true };
}

/** What a step failed with: in its own words where they are made for people. */
export function damageOf(error: unknown): Damage {
  if (error instanceof WrongTables) return { reason: error.message, reseed: true };
  const said = error instanceof TenantryError ? error : explainRefusal(error);
  if (said === undefined) return DAMAGE.stepFailed;
  const { message, forOperator } = said;
  // Only the operator sees how links are.
  return { reason: forOperator === undefined ? message : `${message} ${forOperator}`, reseed: false };
}
