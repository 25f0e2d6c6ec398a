import { describe, expect, test } from "vitest";
import { connectionOf, formatGatewayAddress, parseGatewayAddress } from "#engine/border/address";

const parse = (text: string) => parseGatewayAddress(text, "TENANTRY_GATEWAY_ADDRESS");

describe("the address of a gateway", () => {
  test.each([
    ["gateway.example.com:4001", { host: "gateway.example.com", port: 4001 }],
    ["127.0.0.1:4001", { host: "127.0.0.1", port: 4001 }],
    ["[::1]:4001", { host: "::1", port: 4001 }],
    ["postgres://gateway.example.com:4001", { host: "gateway.example.com", port: 4001 }],
    ["postgresql://gateway.example.com:4001?sslmode=require", { host: "gateway.example.com", port: 4001 }],
  ])("is read from %s", (text, wanted) => {
    expect(parse(text)).toMatchObject(wanted);
  });

  test("has libpq's parameters, also files, and is kept at home as it was read", () => {
    const text = "postgres://gateway.example.com:4001?sslmode=verify-full&sslrootcert=/etc/tenantry/ca@2.crt";
    const address = parse(text);
    expect([...address.parameters]).toEqual([
      ["sslmode", "verify-full"],
      ["sslrootcert", "/etc/tenantry/ca@2.crt"],
    ]);
    expect(parse(formatGatewayAddress(address))).toEqual(address);
    expect(connectionOf(address, "a_link", "its-password")).toMatch(
      /^host='gateway\.example\.com' port='4001' user='a_link' password='its-password' .*sslrootcert='\/etc\/tenantry\/ca@2\.crt'/,
    );
  });

  test.each([
    ["user=somebody", '"user" is not supported'],
    ["sslmode=never", "sslmode must be one of"],
    ["channel_binding=require", "channel_binding must not be require"],
    ["gssencmode=require", "gssencmode must not be require"],
    ["keepalives_idle=30s", "keepalives_idle must be a whole number"],
    ["tcp_user_timeout=x", "tcp_user_timeout must be a whole number"],
    ["connect_timeout=abc", "connect_timeout must be a whole number"],
    ["keepalives=yes", "keepalives must be one of 0, 1"],
    // A subscriber of 16 would refuse the whole string.
    ["sslnegotiation=postgres", "sslnegotiation is not supported"],
  ])("has no %s, and says which parameter it is", (query, words) => {
    expect(() => parse(`gateway.example.com:4001?${query}`)).toThrow(words);
    expect(() => parse(`gateway.example.com:4001?${query}`)).not.toThrow("somebody");
  });

  test("has what libpq of every version reads", () => {
    const query =
      "connect_timeout=5&keepalives_idle=30&tcp_user_timeout=9000&channel_binding=prefer&gssencmode=disable";
    expect([...parse(`gateway.example.com:4001?${query}`).parameters.values()]).toEqual([
      "5",
      "30",
      "9000",
      "prefer",
      "disable",
    ]);
  });

  test.each([
    "gateway.example.com",
    "postgres://gateway.example.com",
    "gateway.example.com:0",
    "gateway.example.com:99999",
    "somebody@gateway.example.com:4001",
    "postgres://somebody:secret@gateway.example.com:4001",
    "postgres://gateway.example.com:4001/database",
    "http://gateway.example.com:4001",
    ":4001",
    "a.example.com,b.example.com:4001",
  ])("is not %s, which is not repeated", (text) => {
    expect(() => parse(text)).toThrow(/^TENANTRY_GATEWAY_ADDRESS must look like gateway\.example\.com:4001/);
    expect(() => parse(text)).not.toThrow("somebody");
  });
});
