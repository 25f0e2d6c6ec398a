/**
 * How much of the gateway one credential can take, or the links of one region. A subscriber has one stream at a time; for a
 * moment there can be the end of one and the beginning of the next.
 */
import { BoundedMap } from "#base/kernel/bounded-map";

/** What is counted, and can be ended. */
export type Member = { end: () => void };

export class PerLink {
  readonly #max: number;
  /** By link, the oldest first. */
  readonly #members = new Map<string, Set<Member>>();

  /** `max`: of one link, at a time. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Whether this link may have one more, which is then its own until {@link leave}. */
  enter(link: string, member: Member): boolean {
    const members = this.#membersOf(link);
    if (members.size >= this.#max) return false;
    members.add(member);
    return true;
  }

  /** The same where the newest comes first: it may stand for one that hangs, so the oldest is ended for it. */
  enterInPlaceOfOldest(link: string, member: Member): void {
    const members = this.#membersOf(link);
    const [oldest] = members;
    if (oldest !== undefined && members.size >= this.#max) {
      members.delete(oldest);
      oldest.end();
    }
    members.add(member);
  }

  leave(link: string, member: Member): void {
    const members = this.#members.get(link);
    members?.delete(member);
    if (members?.size === 0) this.#members.delete(link);
  }

  #membersOf(link: string): Set<Member> {
    const members = this.#members.get(link) ?? new Set<Member>();
    this.#members.set(link, members);
    return members;
  }
}

/** Sign-ins of a link that are answered at once, and how many more each second. A subscriber needs a few a minute. */
const BURST = 10;
const SIGN_INS_PER_SECOND = 5;
/** Sign-ins that are waited for, so at most 2 seconds. */
const MAX_OWED = 10;
const MAX_REMEMBERED = 10_000;

/**
 * How often one credential can sign in: each sign-in costs the gateway a proof, and a publisher a process. Only sign-ins with the
 * right password use up what there is, so nobody slows another one's link down.
 */
export class SignInRate {
  readonly #links = new BoundedMap<string, { tokens: number; at: number }>(MAX_REMEMBERED);

  /** How many milliseconds a sign-in as this link is to wait before it is looked at. */
  waitMs(link: string): number {
    const owed = this.#links.has(link) ? -this.#refilled(link).tokens : 0;
    return owed <= 0 ? 0 : (owed / SIGN_INS_PER_SECOND) * 1_000;
  }

  /** One has signed in. */
  count(link: string): void {
    const entry = this.#refilled(link);
    entry.tokens = Math.max(entry.tokens - 1, -MAX_OWED);
  }

  #refilled(link: string): { tokens: number; at: number } {
    const now = performance.now();
    const entry = this.#links.get(link) ?? { tokens: BURST, at: now };
    entry.tokens = Math.min(BURST, entry.tokens + ((now - entry.at) / 1_000) * SIGN_INS_PER_SECOND);
    entry.at = now;
    // The one that signed in longest ago is the first to be forgotten, which fills what it has used.
    this.#links.set(link, entry);
    return entry;
  }
}
