/** Connections that may be dead, as their server could not be reached for a while. */
import type pg from "pg";
import { isWaiting, SILENT_MS, streamOf } from "#base/postgres/silence";

export class Suspects {
  /** Each with the host and port that it is connected to. */
  readonly #clients: ReadonlyMap<pg.ClientBase, string>;
  /** By host and port: what was connected there when it could be reached no longer, and how many bytes had come. */
  readonly #suspects = new Map<string, { heard: Map<pg.ClientBase, number>; since: number }>();

  constructor(clients: ReadonlyMap<pg.ClientBase, string>) {
    this.#clients = clients;
  }

  /** The server can be reached no longer. */
  note(server: string): void {
    const connected = [...this.#clients].filter(([, at]) => at === server);
    const heard = new Map(connected.map(([client]) => [client, streamOf(client).bytesRead]));
    this.#suspects.set(server, { heard, since: performance.now() });
  }

  /**
   * The server answers again. What was asked before on a connection that has said nothing since would wait for its system to send it
   * once more: that can be two minutes. Whoever asked is told at once, and asks again.
   */
  hangUp(server: string): void {
    const suspects = this.#suspects.get(server);
    this.#suspects.delete(server);
    // One connection that could not be made says nothing of those that are there.
    if (suspects === undefined || performance.now() - suspects.since < SILENT_MS) return;
    for (const [client, bytesRead] of suspects.heard)
      if (this.#clients.has(client) && isWaiting(client) && streamOf(client).bytesRead === bytesRead)
        streamOf(client).destroy();
  }
}
