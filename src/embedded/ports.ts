/** Ports of 127.0.0.1. */
import { createServer, type Server } from "node:net";

/** Whether nothing listens on this port of 127.0.0.1. */
export async function isPortFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return true;
  } catch {
    return false;
  }
}

/**
 * A port for each wish: the one wished for where it is free, else the next free one in steps of ten, else (or without a
 * wish) any that is free. No port is given twice, nor one that is in `taken`.
 */
export async function choosePorts(
  wishes: readonly (number | undefined)[],
  taken: ReadonlySet<number>,
): Promise<number[]> {
  const used = new Set(taken);
  const ports: number[] = [];
  for (const wish of wishes) {
    const port = (await firstFree(wish, used)) ?? (await anyFree(used));
    used.add(port);
    ports.push(port);
  }
  return ports;
}

const STEPS = 10;

async function firstFree(wish: number | undefined, used: ReadonlySet<number>): Promise<number | undefined> {
  if (wish === undefined) return undefined;
  for (let step = 0; step < STEPS; step += 1) {
    const port = wish + 10 * step;
    if (!used.has(port) && (await isPortFree(port))) return port;
  }
  return undefined;
}

async function anyFree(used: ReadonlySet<number>): Promise<number> {
  // The system gives another one each time, so this ends.
  for (;;) {
    const probe = await listen(0);
    const address = probe.address();
    await close(probe);
    if (address !== null && typeof address === "object" && !used.has(address.port)) return address.port;
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
