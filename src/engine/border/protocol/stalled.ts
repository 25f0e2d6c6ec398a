import type { Socket } from "node:net";

/**
 * Waits until a socket has taken what was written to it. `stalled` is called instead when it has not taken a byte for
 * `stallMs`; one that takes a few now and then is slow, not stalled.
 */
export function onStalled(
  socket: Socket,
  stallMs: number,
  { drained, stalled }: { drained: () => void; stalled: () => void },
): void {
  let left = socket.writableLength;
  const timer = setInterval(() => {
    if (socket.writableLength < left) {
      left = socket.writableLength;
      return;
    }
    forget();
    stalled();
  }, stallMs);
  const onDrain = () => {
    forget();
    drained();
  };
  const forget = () => {
    clearInterval(timer);
    socket.off("drain", onDrain);
    socket.off("close", forget);
  };
  socket.on("drain", onDrain);
  socket.on("close", forget);
}
