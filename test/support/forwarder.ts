/** Another way to a server: a port that passes everything on, or does with a connection what the test says. */
import { once } from "node:events";
import net from "node:net";

export type Forwarder = AsyncDisposable & {
  readonly port: number;
  /** Connections that were made to it so far. */
  readonly count: number;
  /** Takes connections; to be called when it does not. */
  open: () => Promise<void>;
  /** Ends its connections and takes no more, until it is opened again. */
  shut: () => Promise<void>;
  /** What is done with new connections instead of passing them on, until it is disposed of. */
  intercept: (handle: (socket: net.Socket) => void) => Disposable;
  /**
   * A black hole, until it is disposed of: nothing passes in this direction, and neither side hears of it, not even when the
   * other one goes. Afterwards what was held back goes on its way, as TCP sends it again. `answers`: what the server says is
   * lost, and what it is told arrives.
   */
  swallow: (which?: "both" | "answers") => Disposable;
  /**
   * The connections that are there now carry nothing any more, for good, and neither side hears of it: as when a router
   * forgets idle ones. Those that are made later pass. Returns how many they are. `ports`: only those that the server knows by
   * one of these client's ports.
   */
  forget: (ports?: readonly number[]) => number;
};

/** One connection that is passed on: what comes is written to the other side, unless it is held. */
class Passage {
  readonly near: net.Socket;
  readonly far: net.Socket;
  isForgotten = false;
  #held: "both" | "answers" | undefined;
  readonly #resume: (() => void)[] = [];

  constructor(near: net.Socket, far: net.Socket) {
    this.near = near;
    this.far = far;
    this.#pass(near, far, () => this.#held === "both");
    this.#pass(far, near, () => this.#held !== undefined);
  }

  /** Undefined: everything passes. */
  hold(held: "both" | "answers" | undefined): void {
    this.#held = held;
    if (held === undefined) for (const resume of this.#resume.splice(0)) resume();
  }

  #pass(from: net.Socket, to: net.Socket, isHeld: () => boolean): void {
    const whenFree = (go: () => void) => {
      if (this.isForgotten) return;
      if (isHeld()) this.#resume.push(go);
      else go();
    };
    from.on("data", (data) => whenFree(() => to.write(data)));
    from.on("close", () => whenFree(() => to.destroy()));
    from.on("end", () => whenFree(() => to.end()));
  }
}

/** A port on loopback that leads to the server of the URL. With `open` false nothing listens there yet. */
export async function startForwarder(url: string, { open = true } = {}): Promise<Forwarder> {
  const target = Number(new URL(url).port);
  const sockets = new Set<net.Socket>();
  let count = 0;
  const passages = new Set<Passage>();
  let held: "both" | "answers" | undefined;
  const passOn = (socket: net.Socket) => {
    const onward = net.connect({ port: target, host: "127.0.0.1", allowHalfOpen: true });
    keep(onward);
    const passage = new Passage(socket, onward);
    passage.hold(held);
    passages.add(passage);
    const leave = () => {
      if (socket.closed && onward.closed) passages.delete(passage);
    };
    for (const side of [socket, onward]) side.on("close", leave);
  };
  const hold = (which: typeof held) => {
    held = which;
    for (const passage of passages) passage.hold(which);
  };
  let handle = passOn;
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
  };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    count += 1;
    keep(socket);
    // Whoever does something else with it need not end it.
    socket.allowHalfOpen = handle === passOn;
    handle(socket);
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as net.AddressInfo).port;
  };
  const shut = async () => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  const port = await listen(0);
  if (!open) await shut();
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
    swallow: (which = "both") => {
      hold(which);
      return { [Symbol.dispose]: () => hold(undefined) };
    },
    forget: (ports) => {
      const forgotten = [...passages].filter(({ far }) => ports?.includes(far.localPort ?? 0) ?? true);
      for (const passage of forgotten) passage.isForgotten = true;
      return forgotten.length;
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
