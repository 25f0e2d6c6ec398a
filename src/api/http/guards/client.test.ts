import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { clientOf } from "./client.ts";

function request(remoteAddress: string | undefined, headers: Record<string, string> = {}): IncomingMessage {
  return { headers, socket: { remoteAddress } } as unknown as IncomingMessage;
}
const forwarded = (list: string, proxies: number, from = "10.0.0.1") =>
  clientOf(request(from, { "x-forwarded-for": list }), proxies).address;

describe("the client's address", () => {
  test("is the connection's, whatever a header says, unless a proxy is trusted", () => {
    expect(forwarded("203.0.113.7", 0)).toBe("10.0.0.1");
    expect(clientOf(request("::ffff:192.0.2.4"), 0).address).toBe("192.0.2.4");
    expect(clientOf(request("fe80::1%eth0"), 0).address).toBe("fe80::1");
    expect(clientOf(request(undefined), 0).address).toBeNull();
  });

  test("is what the outermost trusted proxy saw; what callers wrote further left does not count", () => {
    expect(forwarded("6.6.6.6, 203.0.113.7", 1)).toBe("203.0.113.7");
    expect(forwarded("6.6.6.6, 203.0.113.7, 10.0.0.2", 2)).toBe("203.0.113.7");
    expect(forwarded("203.0.113.7", 3)).toBe("203.0.113.7");
    expect(forwarded("", 2)).toBe("10.0.0.1");
  });

  test("is an address or nothing", () => {
    expect(forwarded("203.0.113.7:1234", 1)).toBe("203.0.113.7");
    expect(forwarded("[2001:db8::7]:1234", 1)).toBe("2001:db8::7");
    expect(forwarded("unknown", 1)).toBeNull();
    expect(forwarded("'; drop table users", 1)).toBeNull();
  });
});

test("the user agent is cut, and nothing when it is empty", () => {
  const agentOf = (agent: string) => clientOf(request("10.0.0.1", { "user-agent": agent }), 0).userAgent;
  expect(agentOf("x".repeat(1_000))).toBe("x".repeat(200));
  expect(agentOf("")).toBeNull();
  expect(agentOf("curl\u009b31m/8 \u00e9")).toBe("curl?31m/8 \u00e9");
});
