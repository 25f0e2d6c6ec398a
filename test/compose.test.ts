/** compose.yaml as far as a parser can check it: no container engine is needed. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readConfig, SECTIONS } from "../src/config.ts";
import { variableOf } from "../src/config/variable.ts";
import { SecretBox } from "../src/base/kernel/secret-box.ts";
import { parseDatabaseUrl } from "../src/base/postgres/connection-url.ts";

type Service = {
  command?: string[];
  network_mode?: string;
  environment: Record<string, string>;
  healthcheck?: { test: string[] };
  ports?: unknown;
};

const text = readFileSync("compose.yaml", "utf8");
const compose = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const servers = ["home", "eu", "us"];

/** The text as compose sees it where nothing is set outside. */
const withDefaults = (value: string) => value.replaceAll(/\$\{\w+:-([^}]*)\}/g, "$1");

test("there are three servers and the API", () => {
  expect(Object.keys(compose.services).toSorted()).toEqual([...servers, "api"].toSorted());
});

test.each(servers)("%s can be a region and listens on loopback only", (name) => {
  const settings = compose.services[name]?.command ?? [];
  expect(settings).toContain("-cwal_level=logical");
  expect(settings).toContain("-clisten_addresses=127.0.0.1");
  const port = settings.find((setting) => setting.startsWith("-cport="))?.slice("-cport=".length);
  const health = compose.services[name]?.healthcheck?.test.join(" ");
  expect(health).toMatch(new RegExp(`pg_isready -h 127\\.0\\.0\\.1 -p ${port} `));
  expect(Object.keys(compose.volumes)).toContain(name);
});

test("every server has a port of its own", () => {
  const ports = servers.map((name) => compose.services[name]?.command?.find((part) => part.startsWith("-cport=")));
  expect(new Set(ports).size).toBe(servers.length);
});

test("every address is loopback, on the host's network", () => {
  for (const [name, service] of Object.entries(compose.services)) {
    expect(service.network_mode, name).toBe("host");
    expect(service.ports, name).toBeUndefined();
  }
  const addresses = text.match(/\b\d{1,3}(\.\d{1,3}){3}\b/g) ?? [];
  const hosts = [...text.matchAll(/@([^@/:\s]+):\d+/g)].map(([, host]) => host);
  expect(addresses.length).toBeGreaterThan(0);
  expect(hosts.length).toBeGreaterThan(0);
  expect(new Set([...addresses, ...hosts])).toEqual(new Set(["127.0.0.1"]));
});

test("the API is given no variable that src/config.ts does not know", () => {
  const known = new Set(SECTIONS.flatMap(({ fields }) => Object.values(fields).map((one) => variableOf(one).name)));
  const given = Object.keys(compose.services["api"]?.environment ?? {});
  expect(given).toContain("DATABASE_URL");
  expect(given).toContain("TENANTRY_SECRET_KEY");
  expect(given.filter((name) => !known.has(name))).toEqual([]);
});

test("the API's environment is one that it starts with", () => {
  const environment = Object.fromEntries(
    Object.entries(compose.services["api"]?.environment ?? {}).map(([name, value]) => [name, withDefaults(value)]),
  );
  const config = readConfig(environment);
  expect(config.host).toBe("127.0.0.1");
  expect(() => new SecretBox(config.secretKey ?? "")).not.toThrow();
  // Where the servers reach it: all are on the host's network.
  expect(config.gateway).toMatchObject({ host: "127.0.0.1", address: undefined, homeAddress: undefined });
  const { address, database } = parseDatabaseUrl(config.databaseUrl ?? "", "DATABASE_URL");
  expect(compose.services["home"]?.command).toContain(`-cport=${address.port}`);
  expect(compose.services["home"]?.environment["POSTGRES_DB"]).toBe(database);
});

test("the image names the ports that the API and the gateway have by default, and compose.yaml tells them", () => {
  const { port, gateway } = readConfig({});
  expect(readFileSync("Dockerfile", "utf8")).toMatch(new RegExp(`^EXPOSE ${port} ${gateway.port}$`, "m"));
  expect(text).toContain(`127.0.0.1:${gateway.port}`);
});

test("what the Dockerfile copies is there and is not ignored", () => {
  const ignored = readFileSync(".dockerignore", "utf8").split("\n");
  const copied = [...readFileSync("Dockerfile", "utf8").matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, names]) =>
    (names ?? "").split(" "),
  );
  expect(copied.length).toBeGreaterThan(3);
  for (const name of copied) {
    expect(existsSync(name), name).toBe(true);
    expect(ignored, name).toContain(`!${name}`);
  }
});
