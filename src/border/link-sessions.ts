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
/** Links without a session that are remembered. */
const MAX_REMEMBERED = 10_000;

type Entry = { sessions: Set<LinkSession>; tokens: number; at: number };

export class LinkSessions {
  readonly #entries = new Map<string, Entry>();

  /** A session has signed in as this link. Returns how many milliseconds its answer is to wait. */
  enter(link: string, session: LinkSession): number {
    const entry = this.#entryOf(link);
    const [oldest] = entry.sessions;
    if (oldest !== undefined && entry.sessions.size >= MAX_SESSIONS) {
      entry.sessions.delete(oldest);
      oldest.end();
    }
    entry.sessions.add(session);
    const now = performance.now();
    entry.tokens = Math.min(BURST, entry.tokens + ((now - entry.at) / 1_000) * SIGN_INS_PER_SECOND) - 1;
    entry.at = now;
    // Those that wait are at most as many as may be there.
    entry.tokens = Math.max(entry.tokens, -MAX_SESSIONS);
    return entry.tokens >= 0 ? 0 : (-entry.tokens / SIGN_INS_PER_SECOND) * 1_000;
  }

  leave(link: string, session: LinkSession): void {
    this.#entries.get(link)?.sessions.delete(session);
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
