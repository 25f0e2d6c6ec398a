/**
 * Bounds what a server may send in answer to one statement. The driver keeps an answer until it is whole, and a server that is
 * not trusted can send without end. The driver's insides are touched here (`connection.stream` and its event for the end of an
 * answer); test/integration/answer-bound.test.ts shows when that breaks.
 */
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type pg from "pg";

/** Pages of rows, batches of a seed and pieces of an export have a few megabytes. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** A connection failure to whoever waits: nothing is known of what the server would have said. */
class AnswerTooLarge extends Error {
  readonly code = "ECONNRESET";

  constructor(maxBytes: number) {
    super(`Connection terminated: the server sent more than ${Math.floor(maxBytes / 1024 / 1024)} MB in one answer`);
  }
}

/** The driver's types leave it out. */
type Inside = { connection: EventEmitter & { stream: Socket } };

/** Ends the connection when one answer is larger. To be called once it is signed in. */
export function boundAnswers(client: pg.ClientBase, maxBytes = MAX_ANSWER_BYTES): void {
  const { connection } = client as unknown as Inside;
  const { stream } = connection;
  let received = 0;
  stream.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received > maxBytes) stream.destroy(new AnswerTooLarge(maxBytes));
  });
  connection.on("readyForQuery", () => {
    received = 0;
  });
}
