/** Stops a process without an error for its callers: it answers what is open, and sends clients to another process. */
import type { ServerResponse } from "node:http";
import { delay } from "#base/kernel/wait";

export class Closing {
  readonly #open = new Set<ServerResponse>();
  #isBegun = false;

  /** Whether the process was told to stop: balancers are to send requests elsewhere. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Looks at an answer until it is over. While the process stops, each is the last one on its connection. */
  note(response: ServerResponse): void {
    this.#open.add(response);
    response.once("close", () => this.#open.delete(response));
    if (this.#isBegun) response.setHeader("connection", "close");
  }

  /** Says that it stops, and goes on answering for this long. */
  async drain(ms: number): Promise<void> {
    this.#isBegun = true;
    if (ms > 0) await delay(ms);
  }

  /**
   * Ends streams of events. They get no event that says that they are complete: a client that hears it does not come
   * back, one whose connection ends does.
   */
  endStreams(): void {
    for (const response of this.#open) {
      if (!String(response.getHeader("content-type")).startsWith("text/event-stream")) continue;
      // An event may come while it ends.
      response.on("error", () => undefined);
      response.end(() => response.req.socket.destroySoon());
    }
  }
}
