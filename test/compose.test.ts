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
  ports?: string[];
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

test.each(servers)("%s can be a region, and is reached within the network only", (name) => {
  const { command = [], healthcheck, ports } = compose.services[name] ?? {};
  expect(command).toContain("-cwal_level=logical");
  expect(command.filter((part) => /listen_addresses|port/.test(part))).toEqual([]);
  expect(ports).toBeUndefined();
  expect(healthcheck?.test.join(" ")).toBe("CMD pg_isready -h 127.0.0.1 -U postgres");
  expect(Object.keys(compose.volumes)).toContain(name);
});

test("one port is published, on loopback, from an ordinary network", () => {
  const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
  expect(published).toEqual(["127.0.0.1:4000:4000"]);
  // The host's network works on Linux only.
  expect(Object.values(compose.services).filter((service) => service.network_mode !== undefined)).toEqual([]);
  expect(compose.services["api"]?.environment["PORT"]).toBe("4000");
});

test("compose.yaml has only what the compose specification knows", () => {
  expect(
    Object.keys(compose)
      .filter((key) => !key.startsWith("x-"))
      .toSorted(),
  ).toEqual(["services", "volumes"]);
  const known = new Set([
    "build",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "ports",
    "restart",
    "volumes",
  ]);
  const used = Object.values(compose.services).flatMap((service) => Object.keys(service));
  expect(used.filter((key) => !known.has(key))).toEqual([]);
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
  // Whoever reaches it is the operator, and a setting says so.
  expect(config).toMatchObject({ host: "0.0.0.0", everybodyIsOperator: true, signIn: { mode: "development" } });
  expect(() => new SecretBox(config.secretKey ?? "")).not.toThrow();
  // By the service's name, as the servers are in other containers.
  expect(config.gateway).toMatchObject({ host: "0.0.0.0", port: 4001, address: "api:4001" });
  const { address, database } = parseDatabaseUrl(config.databaseUrl ?? "", "DATABASE_URL");
  expect(address).toMatchObject({ host: "home", port: 5432 });
  expect(compose.services["home"]?.environment["POSTGRES_DB"]).toBe(database);
});

test("the image names the ports that the API and the gateway have by default, and compose.yaml tells them", () => {
  const { port, gateway } = readConfig({});
  expect(readFileSync("Dockerfile", "utf8")).toMatch(new RegExp(`^EXPOSE ${port} ${gateway.port}$`, "m"));
  expect(text).toContain(`api:${gateway.port}`);
});

test("what the Dockerfile copies is there and is not ignored", () => {
  const ignored = readFileSync(".dockerignore", "utf8").split("\n");
  const copied = [...readFileSync("Dockerfile", "utf8").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
    (names ?? "").split(" "),
  );
  expect(copied.length).toBeGreaterThan(3);
  for (const name of copied) {
    expect(existsSync(name), name).toBe(true);
    expect(ignored, name).toContain(`!${name}`);
  }
});

test("the image answers on its port, says whether it does, and keeps nothing that only installing needs", () => {
  const dockerfile = readFileSync("Dockerfile", "utf8");
  expect(dockerfile).toMatch(/^ENV HOST=0\.0\.0\.0$/m);
  expect(dockerfile).toMatch(/^HEALTHCHECK .* CMD \["node", "bin\/health\.js"\]$/m);
  const [, store] = /--store-dir (\S+)/.exec(dockerfile) ?? [];
  const [install = ""] = /^RUN npx[^\n]*\\\n.*$/m.exec(dockerfile) ?? [];
  expect(install).toContain(`rm -rf ${store} `);
});
