/** Stands between a server and everybody who connects to it, and changes what the server says. */
import { once } from "node:events";
import net from "node:net";
import { viaPort } from "./forwarder.ts";

export type Rewriter = AsyncDisposable & {
  /** The server's, by way of the rewriter. */
  url: string;
  /** From now on each `from` in what the server says is `to`, which must be as long. Until it is disposed of. */
  rewrite: (from: string, to: string | Buffer) => Disposable;
  /** From now on another program than the server answers new connections. Until it is disposed of. */
  replace: (handle: (socket: net.Socket) => void) => Disposable;
};

export async function startRewriter(url: string): Promise<Rewriter> {
  const target = Number(new URL(url).port);
  const sockets = new Set<net.Socket>();
  let edit = (chunk: Buffer) => chunk;
  const passOn = (socket: net.Socket) => {
    const onward = keep(net.connect(target, "127.0.0.1"));
    socket.pipe(onward);
    onward.on("data", (chunk: Buffer) => socket.write(edit(chunk)));
    socket.on("close", () => onward.destroy());
    onward.on("close", () => socket.destroy());
  };
  let handle: (socket: net.Socket) => void = passOn;
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    return socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
  };
  const server = net.createServer((socket) => handle(keep(socket)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: viaPort(url, (server.address() as net.AddressInfo).port),
    rewrite: (from, to) => {
      if (from.length !== to.length) throw new Error("both must be of one length");
      edit = (chunk) => {
        if (!chunk.includes(from)) return chunk;
        const changed = Buffer.from(chunk);
        for (let at = changed.indexOf(from); at !== -1; at = changed.indexOf(from, at + 1))
          changed.set(Buffer.from(to), at);
        return changed;
      };
      return {
        [Symbol.dispose]: () => {
          edit = (chunk) => chunk;
        },
      };
    },
    replace: (other) => {
      handle = other;
      // What is open would go on as before.
      for (const socket of sockets) socket.destroy();
      return {
        [Symbol.dispose]: () => {
          handle = passOn;
          for (const socket of sockets) socket.destroy();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
