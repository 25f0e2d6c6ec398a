import { expect, test } from "vitest";
import { holdsPermit, type LinkEvent, type LinkState, next, TRANSITIONS } from "#engine/replication/link-state";

const STATES = Object.keys(TRANSITIONS) as LinkState[];
const EVENTS = Object.keys(TRANSITIONS.parked) as LinkEvent[];

/** The states that can be reached from one. */
function reachable(from: LinkState): Set<LinkState> {
  const seen = new Set<LinkState>([from]);
  for (const state of seen)
    for (const event of EVENTS) {
      const to = TRANSITIONS[state][event];
      if (to !== null) seen.add(to);
    }
  return seen;
}

test("every state is reached from rest, and rest from every state", () => {
  expect(reachable("parked")).toEqual(new Set(STATES));
  for (const state of STATES) expect(reachable(state), state).toContain("parked");
});

test("a nudge is welcome and a failure possible in every state", () => {
  for (const state of STATES) {
    expect(TRANSITIONS[state].nudged, state).not.toBeNull();
    expect(TRANSITIONS[state].failed, state).toBe("broken");
  }
});

test("a nudge never takes a permit away or gives one", () => {
  for (const state of STATES) expect(holdsPermit(next(state, "nudged")), state).toBe(holdsPermit(state));
});

test("what was left unfinished is queued again, never parked", () => {
  expect(next("parking", "disabledUnfinished")).toBe("queued");
  expect(next("broken", "mended")).toBe("queued");
});

test("an event that cannot happen is a mistake and says so", () => {
  expect(() => next("parked", "enabled")).toThrow("cannot happen while parked");
});
