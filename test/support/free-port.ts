import { choosePorts } from "../../src/embedded/ports.ts";

/** A port on loopback that was free a moment ago. For what must be told its port; all else asks for port 0. */
export async function freePort(): Promise<number> {
  const [port = 0] = await choosePorts([undefined], new Set());
  return port;
}
