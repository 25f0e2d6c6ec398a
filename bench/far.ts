/** A way to a server that is far away: what passes is held back, in each direction and in order. */
import { once } from "node:events";
import net from "node:net";

export type FarWay = { readonly port: number; stop: () => Promise<void> };

/**
 * A port on loopback that leads to another one. `roundTripMs` is asked for at each piece of data. A connection costs one
 * round trip before its first byte, as TCP's own greeting would.
 */
export async function startFarWay(port: number, roundTripMs: () => number): Promise<FarWay> {
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    return socket;
  };
  const server = net.createServer((near) => {
    keep(near).pause();
    later(roundTripMs(), () => {
      const far = keep(net.connect(port, "127.0.0.1"));
      holdBack(near, far, roundTripMs);
      holdBack(far, near, roundTripMs);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Half of the round trip passes between a piece's coming and its going on. A later one never overtakes. */
function holdBack(from: net.Socket, to: net.Socket, roundTripMs: () => number): void {
  let free = 0;
  const send = (work: () => void) => {
    free = Math.max(free, performance.now() + roundTripMs() / 2);
    later(free - performance.now(), work);
  };
  from.on("data", (chunk: Buffer) => send(() => void (to.destroyed || to.write(chunk))));
  from.on("close", () => send(() => to.destroy()));
  from.resume();
}

function later(ms: number, work: () => void): void {
  if (ms <= 0) setImmediate(work);
  else setTimeout(work, ms);
}
