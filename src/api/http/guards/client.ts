/** Where a request comes from, as far as it can be known. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { MAX_USER_AGENT_LENGTH } from "#engine/audit/entry";
import type { Client } from "#engine/auth/sign-in";

/** More of the header is not looked at. */
const MAX_FORWARDED_LENGTH = 2_000;

/** Node's parser lets no others through. The audit log is read on terminals, which take these for commands. */
const CONTROL = /[\u0080-\u009f]/g;

/**
 * The client's address and program. `trustedProxies`: how many proxies in front of us add the address they see to
 * `X-Forwarded-For`; what stands further left was written by somebody else, and anybody can write anything there.
 */
export function clientOf({ headers, socket }: IncomingMessage, trustedProxies: number): Client {
  const forwarded = [headers["x-forwarded-for"] ?? []].flat().join(",").slice(-MAX_FORWARDED_LENGTH);
  const hops = [...forwarded.split(","), socket.remoteAddress ?? ""]
    .map((part) => part.trim())
    .filter((part) => part !== "");
  // With fewer hops than proxies somebody came past one of them: the one furthest away is all that is known.
  const shown = hops[Math.max(0, hops.length - 1 - trustedProxies)];
  const agent = headers["user-agent"]?.slice(0, MAX_USER_AGENT_LENGTH).replaceAll(CONTROL, "?");
  return {
    address: shown === undefined ? null : readAddress(shown),
    userAgent: agent === undefined || agent === "" ? null : agent,
  };
}

/** An IP address, also with a port or a zone; null when it is none. IPv4 in IPv6 is IPv4. */
function readAddress(text: string): string | null {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const address = bare.replace(/%.*$/, "").replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
  return isIP(address) === 0 ? null : address;
}
