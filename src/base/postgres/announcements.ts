/**
 * What is announced after statements, so that those who follow look. Each announcement is sent after its statement, in another
 * transaction: in one with it, PostgreSQL would have everything that announces something, in all databases of the server, wait for
 * each other's commits to reach the disk (https://www.postgresql.org/docs/current/sql-notify.html).
 *
 * At most one connection of a database announces at a time. What comes meanwhile goes with its next message, the same only once.
 * So many writes cost few announcements. Nobody waits for them, and one that is lost with its process changes nothing: those who
 * follow look by themselves too.
 */
import type pg from "pg";
import { withName } from "#base/postgres/prepared-statements";

/** What is announced on a channel. */
export type Notice = { readonly channel: string; readonly payload: string };

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
    "select pg_catalog.pg_notify(n.channel, n.payload) from unnest($1::text[], $2::text[]) as n (channel, payload)",
  ),
};

/** The announcements of one database. */
export class Announcements {
  readonly #waiting = new Map<string, Notice>();
  #isAnnouncing = false;

  /** Adds one. Announced when a connection announces next; whether one does is for the caller to see to. */
  add(notice: Notice): void {
    if (Buffer.byteLength(notice.payload) > MAX_PAYLOAD_BYTES || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(`${notice.channel} ${notice.payload}`, notice);
  }

  /** Whether something waits and no connection is on it. */
  get needsConnection(): boolean {
    return !this.#isAnnouncing && this.#waiting.size > 0;
  }

  /** Announces on this connection until nothing waits. Rejects with the driver's error; what waited is lost then. */
  async announce(client: pg.ClientBase, { isPrepared }: { isPrepared: boolean }): Promise<void> {
    this.#isAnnouncing = true;
    try {
      while (this.#waiting.size > 0) {
        const notices = [...this.#waiting.values()].slice(0, MAX_AT_ONCE);
        for (const { channel, payload } of notices) this.#waiting.delete(`${channel} ${payload}`);
        await client.query({
          text: ANNOUNCE.text,
          ...(isPrepared && { name: ANNOUNCE.name }),
          values: [notices.map(({ channel }) => channel), notices.map(({ payload }) => payload)],
        });
      }
    } catch (error) {
      this.#waiting.clear();
      throw error;
    } finally {
      this.#isAnnouncing = false;
    }
  }
}
