import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, test } from "vitest";
import { choosePorts, isPortFree } from "#embedded/ports";

async function listenAnywhere() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.dispose]: () => server.close() };
}

test("a port is free until something listens on it", async () => {
  using listener = await listenAnywhere();
  expect(await isPortFree(listener.port)).toBe(false);
});

test("a wish that is taken gives a port ten higher; one that another server of ours has, too", async () => {
  const free = await listenAnywhere();
  free[Symbol.dispose]();
  expect(await choosePorts([free.port], new Set())).toEqual([free.port]);
  expect(await choosePorts([free.port, free.port], new Set([free.port + 10]))).toEqual([free.port, free.port + 20]);
  using listener = await listenAnywhere();
  expect(await choosePorts([listener.port], new Set())).toEqual([listener.port + 10]);
});

test("without wishes every port is another one", async () => {
  const ports = await choosePorts(Array.from({ length: 20 }), new Set());
  expect(new Set(ports).size).toBe(20);
});
