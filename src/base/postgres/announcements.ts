/**
 * Sends announcements after statements: they tell followers to look. Each announcement is sent after its statement, in another
 * transaction: in one with it, PostgreSQL would have everything that announces something, in all databases of the server, wait for
 * each other's commits to reach the disk (https://www.postgresql.org/docs/current/sql-notify.html).
 *
 * The first is announced at once. What comes within the next few milliseconds goes together in one message, the same words only
 * once. So many writes cost few announcements. Nobody waits for them, and one that is lost with its process costs no event: those
 * who follow look by themselves too.
 */
import type pg from "pg";
import { withName } from "#base/postgres/prepared-statements";

/** What is announced on a channel. */
export type Notice = { readonly channel: string; readonly payload: string };

/** Between two messages, in milliseconds: as late an announcement may be. */
const PAUSE_MS = 5;
/** The server refuses a longer payload, and the others with it. */
const MAX_PAYLOAD_BYTES = 7_999;
/** Of one message. */
const MAX_AT_ONCE = 500;
/** On a server that does not answer; who follows finds the rest by themselves. */
const MAX_WAITING = 10_000;

const ANNOUNCE = {
  name: "tenantry_notice",
  text: withName(
    "notice",
    "select pg_catalog.pg_notify(n.channel, n.payload) from rows from (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) as n (channel, payload)",
  ),
};

/** The announcements of one database. */
export class Announcements {
  readonly #takeConnection: () => void;
  readonly #waiting = new Map<string, Notice>();
  #isAnnouncing = false;
  #pause: NodeJS.Timeout | undefined;

  /** `takeConnection`: called when something waits and no statement's connection is there to announce it. It must not throw. */
  constructor(takeConnection: () => void) {
    this.#takeConnection = takeConnection;
  }

  add(notice: Notice): void {
    if (Buffer.byteLength(notice.payload) > MAX_PAYLOAD_BYTES || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(`${notice.channel} ${notice.payload}`, notice);
  }

  /** Whether something is to be announced now. */
  get isDue(): boolean {
    return this.#waiting.size > 0 && !this.#isAnnouncing && this.#pause === undefined;
  }

  /** Announces what waits on this connection. Rejects with the driver's error; what waited is lost then. */
  async announce(client: pg.ClientBase, { isPrepared }: { isPrepared: boolean }): Promise<void> {
    const notices = [...this.#waiting.values()].slice(0, MAX_AT_ONCE);
    for (const { channel, payload } of notices) this.#waiting.delete(`${channel} ${payload}`);
    if (notices.length === 0) return;
    this.#isAnnouncing = true;
    try {
      await client.query({
        text: ANNOUNCE.text,
        ...(isPrepared && { name: ANNOUNCE.name }),
        values: [notices.map(({ channel }) => channel), notices.map(({ payload }) => payload)],
      });
    } catch (error) {
      this.forget();
      throw error;
    } finally {
      this.#isAnnouncing = false;
      this.#pause ??= setTimeout(() => {
        this.#pause = undefined;
        if (this.isDue) this.#takeConnection();
      }, PAUSE_MS);
    }
  }

  /** Announces nothing more, until something is added. */
  forget(): void {
    this.#waiting.clear();
  }

  /** Ends the pause: what waits is due. */
  hurry(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
  }
}
