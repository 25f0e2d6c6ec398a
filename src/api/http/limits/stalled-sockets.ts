/**
 * Ends connections whose other side takes nothing of what waits for it: over HTTP, with server-sent events and web sockets,
 * which are all connections of one server. A slow reader that takes some lives.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/** Looks so often while the time goes by. */
const LOOKS = 20;
const MAX_PAUSE_MS = 1_000;

/**
 * What Node has of a connection but does not say in its types. Without it a single large write would look like nothing
 * taken until the whole of it is; `socket.setTimeout` goes by the same figures, but hears of what is read, too.
 */
type Handle = { readonly bytesWritten?: number; readonly writeQueueSize?: number };

/** What the system has taken of what was written, and what waits here for it. */
export function flowOf(socket: Socket): { taken: number; waiting: number } {
  const { bytesWritten = socket.bytesWritten, writeQueueSize = socket.writableLength } =
    // oxlint-disable-next-line no-underscore-dangle -- Node's own name for it
    (socket as unknown as { _handle?: Handle | null })._handle ?? {};
  return { taken: bytesWritten - writeQueueSize, waiting: Math.max(writeQueueSize, socket.writableLength) };
}

/** Ends those that take nothing for `timeoutMs` while bytes wait. Returns how to stop looking. */
export function endStalled(server: Server, timeoutMs: number): () => void {
  const seen = new Map<Socket, { taken: number; since: number }>();
  server.on("connection", (socket) => {
    seen.set(socket, { taken: 0, since: performance.now() });
    socket.once("close", () => seen.delete(socket));
  });
  const look = () => {
    const now = performance.now();
    for (const [socket, last] of seen) {
      const { taken, waiting } = flowOf(socket);
      if (waiting === 0 || taken !== last.taken) Object.assign(last, { taken, since: now });
      else if (now - last.since >= timeoutMs) socket.destroy();
    }
  };
  const timer = setInterval(look, Math.min(timeoutMs / LOOKS, MAX_PAUSE_MS)).unref();
  return () => clearInterval(timer);
}
