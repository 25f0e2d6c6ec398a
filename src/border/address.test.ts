import { expect, test } from "vitest";
import { connectionOf, formatGatewayAddress, parseGatewayAddress } from "#border/address";

test.each([
  ["gateway.example.com:4001", "gateway.example.com", {}],
  ["10.0.0.7:4001", "10.0.0.7", {}],
  ["[::1]:4001", "::1", {}],
  ["postgres://gateway.example.com:4001?sslmode=verify-full", "gateway.example.com", { sslmode: "verify-full" }],
  // As a person writes it: a path in the query is no path of the URL.
  [
    "postgres://gateway.example.com:4001?sslmode=verify-full&sslrootcert=/etc/ssl/ca.pem",
    "gateway.example.com",
    { sslmode: "verify-full", sslrootcert: "/etc/ssl/ca.pem" },
  ],
])("the address %s is read, and is the same after it was kept at home", (text, host, parameters) => {
  const address = parseGatewayAddress(text, "TENANTRY_GATEWAY_ADDRESS");
  expect(address).toEqual({ host, port: 4001, parameters: new Map(Object.entries(parameters)) });
  expect(parseGatewayAddress(formatGatewayAddress(address), "gateway_address")).toEqual(address);
});

test.each([
  "gateway.example.com",
  "gateway.example.com:70000",
  "user@gateway.example.com:4001",
  "postgres://user:password@gateway.example.com:4001",
  "gateway.example.com:4001/tenantry",
  "gateway.example.com:4001/",
  "/tmp:4001",
  "gateway.example.com:4001?sslmode=prefer",
  "gateway.example.com:4001?host=other.example.com",
  "",
])("%s is refused, with the name of the setting and an example", (text) => {
  expect(() => parseGatewayAddress(text, "TENANTRY_GATEWAY_ADDRESS")).toThrow(
    /^TENANTRY_GATEWAY_ADDRESS must look like gateway.example.com:4001/,
  );
});

test("a subscriber is told the link's name and password, and notices a silent path", () => {
  const address = parseGatewayAddress("gateway.example.com:4001?connect_timeout=3", "TENANTRY_GATEWAY_ADDRESS");
  const said = connectionOf(address, "tenantry_00000000_1_directory", "word");
  expect(said).toContain("user='tenantry_00000000_1_directory'");
  expect(said).toContain("password='word'");
  expect(said).toMatch(/connect_timeout='?3'?/);
  expect(said).toMatch(/tcp_user_timeout='?30000'?/);
  expect(said).toMatch(/sslmode='?disable'?/);
});
