/** Which machine a request comes from, as far as that can be known. */
import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";

/**
 * The address that counts for limits. Behind `trustedProxies` proxies it is what the outermost of them saw, as each adds
 * to `X-Forwarded-For`; what stands before that was written by whoever sent the request.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const forwarded = String(request.headers["x-forwarded-for"] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const address = trustedProxies === 0 ? undefined : forwarded.at(-trustedProxies);
  return networkOf(address ?? request.socket.remoteAddress ?? "");
}

/** One customer's network: of IPv6 the first 64 bits, as everybody has all addresses below them. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = "", tail] = address.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  const network = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}
