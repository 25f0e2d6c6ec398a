/**
 * How much of the gateway one credential can take. A subscriber has one stream at a time; for a moment there can be the end of
 * one and the beginning of the next.
 */

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
