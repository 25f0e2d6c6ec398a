/**
 * Bounds what a server may send in answer to one statement. The driver keeps an answer until it is whole, and a server that is
 * not trusted can send without end. The driver's insides are touched here (`connection`, where it begins to listen, and its events
 * for a row and for the end of an answer); test/integration/answer-bound.test.ts shows when that breaks.
 */
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import pg from "pg";

/** Several of the API's largest answers; pages of rows, batches of a seed and pieces of an export have a few megabytes. */
export const MAX_ANSWER_BYTES = 64_000_000;

/** A connection failure to whoever waits: nothing is known of what the server would have said. */
class AnswerTooLarge extends Error {
  readonly code = "ECONNRESET";

  constructor(maxBytes: number) {
    super(`Connection terminated: the server sent more than ${maxBytes} bytes in one answer`);
  }
}

/** Before it has signed in, a server has nothing to say that is long. */
const MAX_SIGN_IN_BYTES = 256 * 1024;
/** What the driver keeps of a row besides its values; many short rows take more of it than of anything else. */
const ROW_BYTES = 200;

/** The driver's types leave it out. */
type Inside = { connection: EventEmitter & { stream: Socket; attachListeners: (stream: Socket) => void } };
type Connected = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/** A client that hangs up on a server which sends more in answer to one statement, or before the client has signed in. */
export class BoundedClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig, maxBytes = MAX_ANSWER_BYTES) {
    super(config);
    const { connection } = this as unknown as Inside;
    let max = MAX_SIGN_IN_BYTES;
    let received = 0;
    // Called with the stream that is read from, in TLS or in the clear, before the driver listens to it.
    const attach = connection.attachListeners.bind(connection);
    connection.attachListeners = (stream) => {
      const count = (bytes: number) => {
        received += bytes;
        if (received > max) stream.destroy(new AnswerTooLarge(max));
      };
      stream.on("data", (chunk: Buffer) => count(chunk.length));
      connection.on("dataRow", () => count(ROW_BYTES));
      attach(stream);
    };
    const restart = () => {
      max = maxBytes;
      received = 0;
    };
    connection.on("readyForQuery", restart);
    // Whoever listens hears of many things in one wait.
    connection.on("notification", restart);
  }

  /** The driver leaves the socket open when signing in fails, and a server that is not trusted may never close it. */
  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | void {
    const hangUp = () => (this as unknown as Inside).connection.stream.destroy();
    if (callback === undefined)
      return super.connect().catch((error: unknown) => {
        hangUp();
        throw error;
      });
    super.connect((error: Error | null, client?: pg.Client) => {
      if (error != null) hangUp();
      (callback as (error: Error | null, client?: pg.Client) => void)(error, client);
    });
  }
}

/** The client for a pool whose answers have another bound. */
export function clientBoundedBy(maxBytes: number): typeof BoundedClient {
  return class extends BoundedClient {
    constructor(config?: string | pg.ClientConfig) {
      super(config, maxBytes);
    }
  };
}
