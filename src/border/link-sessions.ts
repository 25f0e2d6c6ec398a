/**
 * Bounds what a link's own credential can cost, which the region's administrator knows. A subscriber has one connection, and
 * for a moment another one that replaces it; each that streams takes a walsender of the publisher, of which all regions share
 * those of home.
 */

export type LinkSession = { end: () => void };

/** More of one link are not the subscriber's: the oldest is ended, as a new one may stand for one that hangs. */
const MAX_SESSIONS = 2;
/** Sign-ins of a link that are answered at once, and how many more each second. */
const BURST = 10;
const SIGN_INS_PER_SECOND = 5;
/** Sign-ins that are waited for, so at most 2 seconds. */
const MAX_OWED = 10;
/** Links without a session that are remembered. */
const MAX_REMEMBERED = 10_000;

type Entry = { sessions: Set<LinkSession>; tokens: number; at: number };

export class LinkSessions {
  readonly #entries = new Map<string, Entry>();

  /**
   * How many milliseconds a sign-in as this link is to wait before it is looked at, as proving a password costs time. Only those
   * with the right one use up what there is, so nobody slows another one's link down.
   */
  waitMs(link: string): number {
    const entry = this.#entries.get(link);
    if (entry === undefined) return 0;
    this.#refill(entry);
    return entry.tokens >= 0 ? 0 : (-entry.tokens / SIGN_INS_PER_SECOND) * 1_000;
  }

  /** A session has signed in as this link. */
  enter(link: string, session: LinkSession): void {
    const entry = this.#entryOf(link);
    const [oldest] = entry.sessions;
    if (oldest !== undefined && entry.sessions.size >= MAX_SESSIONS) {
      entry.sessions.delete(oldest);
      oldest.end();
    }
    entry.sessions.add(session);
    this.#refill(entry);
    entry.tokens = Math.max(entry.tokens - 1, -MAX_OWED);
  }

  leave(link: string, session: LinkSession): void {
    this.#entries.get(link)?.sessions.delete(session);
  }

  #refill(entry: Entry): void {
    const now = performance.now();
    entry.tokens = Math.min(BURST, entry.tokens + ((now - entry.at) / 1_000) * SIGN_INS_PER_SECOND);
    entry.at = now;
  }

  #entryOf(link: string): Entry {
    const found = this.#entries.get(link);
    if (found !== undefined) return found;
    const entry = { sessions: new Set<LinkSession>(), tokens: BURST, at: performance.now() };
    if (this.#entries.size >= MAX_REMEMBERED) this.#forgetOne();
    this.#entries.set(link, entry);
    return entry;
  }

  #forgetOne(): void {
    for (const [link, { sessions }] of this.#entries) {
      if (sessions.size > 0) continue;
      this.#entries.delete(link);
      return;
    }
  }
}
