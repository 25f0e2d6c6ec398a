/**
 * The states of a link as its carrier sees it, and what each event does. Pure; SPEC.md gives the meaning and the
 * invariants. A case that is missing here does not compile.
 */

/** queued: has something to carry, waits for a permit. waking, parking: the statement is on its way. */
export type LinkState = "parked" | "queued" | "waking" | "awake" | "parking" | "broken";

export type LinkEvent =
  /** Something may be waiting to be carried. */
  | "nudged"
  /** It was given a permit to be awake. */
  | "admitted"
  /** The subscription is enabled. */
  | "enabled"
  /** It carried everything and nothing came for a while, or its permit is wanted. */
  | "retired"
  /** The subscription is disabled and nothing waits. */
  | "disabled"
  /** The subscription is disabled but something came meanwhile, or was left. */
  | "disabledUnfinished"
  /** A part is missing or lost, or it does not get on. */
  | "failed"
  /** Its parts are whole again, the copy equals the source as of now, the subscription is disabled. */
  | "mended";

export const TRANSITIONS: Record<LinkState, Record<LinkEvent, LinkState | null>> = {
  parked: {
    nudged: "queued",
    admitted: null,
    enabled: null,
    retired: null,
    disabled: null,
    disabledUnfinished: null,
    failed: "broken",
    mended: null,
  },
  queued: {
    nudged: "queued",
    admitted: "waking",
    enabled: null,
    retired: null,
    disabled: null,
    disabledUnfinished: null,
    failed: "broken",
    mended: null,
  },
  waking: {
    nudged: "waking",
    admitted: null,
    enabled: "awake",
    retired: null,
    disabled: null,
    disabledUnfinished: null,
    failed: "broken",
    mended: null,
  },
  awake: {
    nudged: "awake",
    admitted: null,
    enabled: "awake",
    retired: "parking",
    disabled: null,
    disabledUnfinished: null,
    failed: "broken",
    mended: null,
  },
  parking: {
    nudged: "parking",
    admitted: null,
    enabled: null,
    retired: null,
    disabled: "parked",
    disabledUnfinished: "queued",
    failed: "broken",
    mended: null,
  },
  // What comes while it is broken is carried by the reseed or waits in the slot: mending ends with a wake.
  broken: {
    nudged: "broken",
    admitted: null,
    enabled: null,
    retired: null,
    disabled: null,
    disabledUnfinished: null,
    failed: "broken",
    mended: "queued",
  },
};

/** The next state. Throws on an event that cannot happen in this state: a mistake in the carrier. */
export function next(state: LinkState, event: LinkEvent): LinkState {
  const to = TRANSITIONS[state][event];
  if (to === null) throw new Error(`replication link: ${event} cannot happen while ${state}`);
  return to;
}

/** Whether a link in this state holds a walsender and an apply worker, or is about to. */
export function holdsPermit(state: LinkState): boolean {
  return state === "waking" || state === "awake" || state === "parking";
}
