/** Connections to a server that could not be reached for a while: what was asked on them may wait for nothing. */
import type pg from "pg";
import { isWaiting, SILENT_MS, streamOf } from "#base/postgres/silence";

/** Connections with the host and port that each is connected to. */
type Connected = ReadonlyMap<pg.ClientBase, string>;

export class Suspects {
  /** By host and port: what was connected there when it could be reached no longer, and how many bytes had come. */
  readonly #byServer = new Map<string, { heard: Map<pg.ClientBase, number>; since: number }>();

  /** The server could not be reached. */
  note(server: string, connected: Connected): void {
    const there = [...connected].filter(([, at]) => at === server);
    const heard = new Map(there.map(([client]) => [client, streamOf(client).bytesRead]));
    this.#byServer.set(server, { heard, since: performance.now() });
  }

  /**
   * The server answers again. What was asked before on a connection that has said nothing since would wait for its system to send it
   * once more: that can be two minutes. Whoever asked is told at once, and asks again.
   */
  hangUp(server: string, connected: Connected): void {
    const suspects = this.#byServer.get(server);
    this.#byServer.delete(server);
    // One connection that could not be made says nothing of those that are there.
    if (suspects === undefined || performance.now() - suspects.since < SILENT_MS) return;
    for (const [client, bytesRead] of suspects.heard)
      if (connected.has(client) && isWaiting(client) && streamOf(client).bytesRead === bytesRead)
        streamOf(client).destroy();
  }
}
