/** Tells operations that their caller has hung up. */

/** What a caller is connected by: a TCP connection, or a web socket on one. */
type Connected = { once: (event: "close", listener: () => void) => unknown };

const closings = new WeakMap<Connected, AbortSignal>();

/** Aborted when the connection closes: one signal for each, however many operations run on it. `isClosed`: it was before. */
export function whenClosed(connection: Connected, isClosed: boolean): AbortSignal {
  const found = closings.get(connection);
  if (found !== undefined) return found;
  const closed = new AbortController();
  connection.once("close", () => closed.abort());
  if (isClosed) closed.abort();
  closings.set(connection, closed.signal);
  return closed.signal;
}
