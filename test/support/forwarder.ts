/** Another way to a server: a port that passes everything on, or does with a connection what the test says. */
import { once } from "node:events";
import net from "node:net";

export type Forwarder = AsyncDisposable & {
  readonly port: number;
  /** Connections that were made to it so far. */
  readonly count: number;
  /** Takes connections; to be called once, unless it was made to. */
  open: () => Promise<void>;
  /** What is done with new connections instead of passing them on, until it is disposed of. */
  intercept: (handle: (socket: net.Socket) => void) => Disposable;
  /** Becomes a black hole until it is disposed of: takes connections, and passes nothing on, of those that are open either. */
  swallow: () => Disposable;
  /** Ends its connections and takes no more, until it is opened again. */
  shut: () => Promise<void>;
};

/** A port on loopback that leads to the server of the URL. With `open` false nothing listens there yet. */
export async function startForwarder(url: string, { open = true } = {}): Promise<Forwarder> {
  const target = Number(new URL(url).port);
  const sockets = new Set<net.Socket>();
  let count = 0;
  /** Each connection with the one that it leads to. */
  const passed = new Map<net.Socket, net.Socket>();
  const passOn = (socket: net.Socket) => {
    const onward = net.connect(target, "127.0.0.1");
    keep(onward);
    passed.set(socket, onward);
    socket.pipe(onward).pipe(socket);
    socket.on("close", () => {
      passed.delete(socket);
      onward.destroy();
    });
    onward.on("close", () => socket.destroy());
  };
  let handle = passOn;
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
  };
  const server = net.createServer((socket) => {
    count += 1;
    keep(socket);
    handle(socket);
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as net.AddressInfo).port;
  };
  const shut = async () => {
    const isClosed = server.listening ? once(server, "close") : Promise.resolve();
    server.close();
    for (const socket of sockets) socket.destroy();
    await isClosed;
  };
  const port = await listen(0);
  if (!open) {
    server.close();
    await once(server, "close");
  }
  return {
    port,
    get count() {
      return count;
    },
    open: async () => {
      await listen(port);
    },
    intercept: (other) => {
      handle = other;
      return {
        [Symbol.dispose]: () => {
          handle = passOn;
        },
      };
    },
    swallow: () => {
      const held = [...passed];
      for (const [socket, onward] of held) {
        socket.unpipe(onward).pause();
        onward.unpipe(socket).pause();
      }
      const waiting = new Set<net.Socket>();
      handle = (socket) => waiting.add(socket.pause());
      return {
        [Symbol.dispose]: () => {
          handle = passOn;
          for (const [socket, onward] of held) if (passed.has(socket)) socket.pipe(onward).pipe(socket);
          for (const socket of waiting) if (!socket.destroyed) passOn(socket);
        },
      };
    },
    shut,
    [Symbol.asyncDispose]: shut,
  };
}

/** The URL by way of another port. */
export function viaPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href.replace(/\/$/, "");
}
