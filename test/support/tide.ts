/**
 * Ways to servers on which everything waits until nothing moves any more, and then goes on at once. So what is asked side by
 * side takes one wait, and what is asked one after the other takes one each, however fast the machine is.
 */
import { once } from "node:events";
import net from "node:net";

/** Nothing was heard for so long: whoever could have said something has said it, or waits for an answer. */
const STILL_MS = 30;

export type Tide = AsyncDisposable & {
  /** A port on loopback that leads to another one. */
  leadTo: (port: number) => Promise<number>;
  /** Runs the work, and counts the round trips that it waits for. Outside of it everything passes at once. */
  count: (work: () => Promise<unknown>) => Promise<number>;
  /** What was sent to servers while it was counted last, a list for each half of a round trip: for whoever finds too many. */
  readonly sent: readonly (readonly string[])[];
};

export function startTide(): Tide {
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  let held: { go: () => void; what: string }[] = [];
  let isCounting = false;
  let halves = 0;
  let sent: string[][] = [];
  let timer: NodeJS.Timeout | undefined;
  const release = () => {
    timer = undefined;
    const going = held;
    held = [];
    if (going.length === 0) return;
    halves += 1;
    sent.push(going.map(({ what }) => what).filter((what) => what !== ""));
    for (const { go } of going) go();
  };
  const pass = (what: string, go: () => void) => {
    if (!isCounting) return go();
    held.push({ go, what });
    clearTimeout(timer);
    timer = setTimeout(release, STILL_MS);
  };
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
    return socket;
  };
  const join = (from: net.Socket, to: net.Socket, isQuestion: boolean) => {
    from.on("data", (data: Buffer) =>
      pass(isQuestion ? textOf(data) : "", () => void (to.destroyed || to.write(data))),
    );
    // An end is waited for by nobody, and never overtakes what was said before.
    from.on("close", () => (isCounting ? held.push({ go: () => to.destroy(), what: "" }) : to.destroy()));
    from.resume();
  };
  return {
    get sent() {
      return sent;
    },
    leadTo: async (port) => {
      const server = net.createServer((near) => {
        keep(near).pause();
        // TCP's own greeting is a round trip.
        pass("connect", () =>
          pass("", () => {
            const far = keep(net.connect(port, "127.0.0.1"));
            join(near, far, true);
            join(far, near, false);
          }),
        );
      });
      servers.push(server);
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      return (server.address() as net.AddressInfo).port;
    },
    count: async (work) => {
      halves = 0;
      sent = [];
      isCounting = true;
      try {
        await work();
      } finally {
        isCounting = false;
        clearTimeout(timer);
        timer = undefined;
        for (const { go } of held.splice(0)) go();
      }
      return Math.ceil(halves / 2);
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) {
        const closed = once(server, "close");
        server.close();
        await closed;
      }
    },
  };
}

/** What can be read of a message, shortened. */
function textOf(data: Buffer): string {
  return data
    .toString("latin1")
    .replaceAll(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 90);
}
