/**
 * Bounds what a server may send in answer to one message of ours. A statement's own bound is kept by the server, and a server
 * of somebody else's may not keep it; the driver holds a row until the whole of it is there.
 */
import type { Socket } from "node:net";
import type pg from "pg";

/** What the driver has of a connection but does not say in its types. */
type Wire = { readonly stream: Socket; on: (event: "readyForQuery" | "notification", listener: () => void) => void };

/** Ends the connection when more than `maxBytes` come before the server is ready for the next message, or in one notification. */
export function boundResults(client: pg.PoolClient, maxBytes: number): void {
  const wire = (client as unknown as { readonly connection: Wire }).connection;
  let bytes = 0;
  // Before the driver hears of what came last: what is ended is not read.
  wire.stream.prependListener("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) wire.stream.destroy(tooMuch(maxBytes));
  });
  const restart = () => {
    bytes = 0;
  };
  wire.on("readyForQuery", restart);
  // Whoever listens hears of many things in one wait.
  wire.on("notification", restart);
}

/** As a failure of the connection, which it is from then on. */
function tooMuch(maxBytes: number): Error {
  return Object.assign(new Error(`a server sent more than ${maxBytes} bytes in one answer`), { code: "ECONNABORTED" });
}
