/**
 * Every connection between the program, its gateway and the servers over TLS with `sslmode=verify-full`: neither the servers
 * nor the gateway let anybody in without it. The certificates are of authorities that the test makes.
 */
import { spawnSync } from "node:child_process";
import net from "node:net";
import tls from "node:tls";
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { getRegion } from "../../src/engine/regions/regions.ts";
import { Certificate } from "../../src/engine/border/certificate.ts";
import type { GatewaySettings } from "../../src/engine/links/run-gateway.ts";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { probeAt } from "../../src/engine/servers/server-probe.ts";
import { tryRegion } from "../../src/engine/regions/try-server.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { type Authority, createAuthority, tlsOnly } from "../support/certificates.ts";
import { connectionsOf } from "../support/connections.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { freePort } from "../support/free-port.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  type Granted,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences, findUnrest } from "../support/replication-truth.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

const REGISTER = "mutation ($input: RegisterRegionInput!) { registerRegion(input: $input) { key } }";
const UPDATE = "mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }";

let authority: Authority;
/** Whom no server here has its certificate from. */
let stranger: Authority;
let home: OwnServer;
let region: OwnServer;
/** Its certificate is for 127.0.0.1, and not for localhost. */
let byAddressOnly: OwnServer;
let app: TestApp;
let databaseUrl: string;
let organization: string;
let placement: Granted;

const verified = (url: string, rootFile = authority.rootFile) => `${url}?sslmode=verify-full&sslrootcert=${rootFile}`;
const byName = (url: string) => url.replace("127.0.0.1", "localhost");
const NAMES = ["DNS:localhost", "IP:127.0.0.1"];
/** A gateway that regions reach by a name and home by an address. */
const gatewayAt = (port: number, changes: Partial<GatewaySettings> = {}): GatewaySettings => ({
  host: "127.0.0.1",
  port,
  address: verified(`postgres://localhost:${port}`),
  homeAddress: verified(`postgres://127.0.0.1:${port}`),
  certificate: authority.certify(NAMES),
  ...changes,
});

// Without it there is nobody to make certificates.
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

describe.skipIf(!hasOpenssl)("with verify-full", () => {
  beforeAll(async () => {
    authority = createAuthority("Authority");
    stranger = createAuthority("Stranger");
    const settings = (names: readonly string[]) => ({ settings: tlsOnly(authority.certify(names)) });
    [home, region, byAddressOnly] = await Promise.all([
      startServer({ databases: ["directory", "other"], ...settings(NAMES) }),
      startServer(settings(NAMES)),
      startServer(settings(["IP:127.0.0.1"])),
    ]);
    databaseUrl = verified(home.url("directory"));
    app = await startApp({
      databaseUrl: byName(databaseUrl),
      gateway: gatewayAt(await freePort()),
      replication: { carrier: { idleMs: 50 } },
    });
  });
  afterAll(async () => {
    await app.stop();
    await Promise.all([home, region, byAddressOnly].map((one) => one[Symbol.asyncDispose]()));
  });

  const installation = () => ({
    homeUrl: databaseUrl,
    regionUrl: (key: string, name?: string) => verified((key === "own" ? region : byAddressOnly).url(name)),
  });

  /** Who is connected to a server without TLS, and not from within it. */
  const unencrypted = (server: OwnServer) =>
    sql(
      verified(server.url("postgres")),
      "select backend_type, application_name from pg_stat_activity join pg_stat_ssl using (pid) where client_port > 0 and not ssl",
    );

  const walsenders = (server: OwnServer) =>
    sql<{ ssl: boolean; version: string }>(
      verified(server.url("postgres")),
      `select ssl, version from pg_stat_ssl join pg_stat_replication using (pid)`,
    );

  test("the servers let nobody in without TLS", async () => {
    await expect(sql(home.url("postgres"), "select")).rejects.toMatchObject({ code: "28000" });
  });

  test("the whole journey, both ways, parked and awake", async () => {
    const input = { key: "own", name: "Own", connectionUrl: byName(verified(region.url())) };
    await app.ask(REGISTER, { input });
    organization = await createOrganization(app, "Encrypted");
    placement = await grant(app, organization, "own");
    expect(placement).toMatchObject({ state: "ACTIVE", failure: null });
    const atRest = () => eventually(async () => (await findUnrest(installation())).length === 0);
    const agreed = () => eventually(async () => (await findDifferences(installation())).length === 0);
    expect(await atRest()).toBe(true);
    for (const name of ["First", "Second"]) {
      const member = await createUser(app, name);
      const resource = await createResource(app, { name, organizationId: organization });
      await addMember(app, organization, member);
      await comment(app, resource, member);
      expect(await agreed()).toBe(true);
      expect(await atRest()).toBe(true);
    }
    expect([await unencrypted(home), await unencrypted(region)]).toEqual([[], []]);
    const told = await Promise.all(
      [databaseUrl, verified(region.url(placement.database))].map((url) => connectionsOf(url, placement.database)),
    );
    // The servers prove the gateway, each by the way that it was told.
    expect(told).toEqual(
      ["127.0.0.1", "localhost"].map((host) => [
        expect.stringMatching(new RegExp(`^host='${host}' .*sslmode='verify-full'`)),
      ]),
    );
  });

  test("TLS at once, without asking for it first, takes PostgreSQL 17 or newer", async () => {
    const url = new URL(verified(region.url()));
    url.searchParams.set("sslnegotiation", "direct");
    const probing = probeAt(app.services.pools, parseServerUrl(url.href.replace("/?", "?"), "url"));
    const isRight = await probing.then(
      ({ versionNumber }) => versionNumber >= 170_000,
      (error: unknown) => error instanceof Error && error.message.includes("sslnegotiation=direct takes PostgreSQL 17"),
    );
    expect(isRight).toBe(true);
  });

  test("what carries is encrypted in both directions", async () => {
    const encrypted = async (server: OwnServer) => (await walsenders(server)).map(({ ssl }) => ssl);
    const enable = async (url: string, direction: string) => {
      await sql(url, `alter subscription ${placement.database}_${direction} enable`);
    };
    await enable(databaseUrl, "catalog");
    await enable(verified(region.url(placement.database)), "directory");
    expect(await eventually(async () => (await encrypted(home)).length + (await encrypted(region)).length === 2)).toBe(
      true,
    );
    expect([await encrypted(home), await encrypted(region)]).toEqual([[true], [true]]);
    await sql(databaseUrl, `alter subscription ${placement.database}_catalog disable`);
    await sql(verified(region.url(placement.database)), `alter subscription ${placement.database}_directory disable`);
  });

  describe("a server that does not prove who it is, is refused, and nothing is changed", () => {
    const stored = async () => [
      await sql(databaseUrl, "select * from tenantry.regions order by id"),
      await sql(databaseUrl, "select id from tenantry.jobs order by id"),
    ];
    const missing = () => join(temporaryFolder(), "missing.crt");
    const own = () => verified(byAddressOnly.url());
    test.each([
      [
        "the authority is another one",
        () => verified(byAddressOnly.url(), stranger.rootFile),
        /cannot be reached: its certificate is not signed by an authority that sslrootcert names\.$/,
      ],
      [
        "no authority is named",
        () => `${byAddressOnly.url()}?sslmode=verify-full`,
        /cannot be reached: its certificate is not signed by an authority that sslrootcert names\.$/,
      ],
      [
        "the name is another one",
        () => byName(own()),
        /cannot be reached: its certificate is for another host name\.$/,
      ],
      [
        "the authority's file is missing",
        () => verified(byAddressOnly.url(), missing()),
        /^The file that sslrootcert names cannot be read where Tenantry runs, or is not a regular file of at most 1 MB\.$/,
      ],
      ["TLS is left out", () => byAddressOnly.url(), /lets nobody in from here in this way; check sslmode\.$/],
    ])("where %s", async (_, url, message) => {
      const before = await stored();
      const refusals = [
        await app.refuse(REGISTER, { input: { key: "unproved", name: "Unproved", connectionUrl: url() } }),
        await app.refuse(UPDATE, { input: { key: "own", connectionUrl: url() } }),
      ];
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({ field: "connectionUrl" });
        expect(refusal.message).toMatch(message);
      }
      expect(await stored()).toEqual(before);
    });

    test("verify-ca goes by the authority and not by the name", async () => {
      const url = byName(own()).replace("verify-full", "verify-ca");
      await registerRegion(app, "by-authority", url);
      const there = await createOrganization(app, "By authority");
      expect(await grant(app, there, "by-authority")).toMatchObject({ state: "ACTIVE" });
      await app.ask(UPDATE, { input: { key: "by-authority", connectionUrl: own() } });
    });
  });

  describe("a gateway", () => {
    /** Another installation, whose gateway is as the test says. */
    async function startOther(changes: (port: number) => Partial<GatewaySettings>): Promise<TestApp & AsyncDisposable> {
      const port = await freePort();
      const other = await startApp({
        databaseUrl: verified(home.url("other")),
        secretKey: app.secretKey,
        gateway: gatewayAt(port, changes(port)),
        replication: { carrier: { idleMs: 50 } },
      });
      return Object.assign(other, { [Symbol.asyncDispose]: () => other.stop() });
    }
    const there = () => ({ key: "there", name: "There", connectionUrl: verified(byAddressOnly.url()) });
    const at = (port: number, rootFile?: string) => verified(`postgres://localhost:${port}`, rootFile);
    const BY_REGION = "The region's server cannot connect to Tenantry's gateway by TENANTRY_GATEWAY_ADDRESS";
    const BY_HOME =
      "Home's server cannot connect to Tenantry's gateway by TENANTRY_GATEWAY_HOME_ADDRESS or TENANTRY_GATEWAY_ADDRESS";
    const UNPROVED = "its certificate does not pass: of another authority, expired or revoked.";
    const missing = () => join(temporaryFolder(), "missing.crt");

    test.each<[string, (port: number) => Partial<GatewaySettings>, string]>([
      ["of another authority", (port) => ({ address: at(port, stranger.rootFile) }), `${BY_REGION}: ${UNPROVED}`],
      [
        "with another name in its certificate",
        () => ({ certificate: authority.certify(["IP:127.0.0.1"]) }),
        `${BY_REGION}: its certificate is for another host name.`,
      ],
      [
        "whose certificate has expired",
        () => ({ certificate: authority.certify(NAMES, { isExpired: true }) }),
        `${BY_REGION}: ${UNPROVED}`,
      ],
      [
        "whose authority's file is missing where the server that subscribes runs",
        (port) => ({ address: at(port, missing()) }),
        `${BY_REGION}: the file with the CA, sslrootcert, is not there on the server that subscribes.`,
      ],
      ["without a certificate", () => ({ certificate: undefined }), `${BY_REGION}: it does not take TLS connections.`],
      [
        "that is to be reached without TLS",
        (port) => ({ address: `postgres://localhost:${port}?sslmode=disable` }),
        `${BY_REGION}: it takes TLS connections only, and the address says sslmode=disable.`,
      ],
      [
        "that home's server cannot prove",
        (port) => ({ homeAddress: at(port, stranger.rootFile) }),
        `${BY_HOME}: ${UNPROVED}`,
      ],
    ])("%s is refused by the server that subscribes, and nothing is changed", async (_, changes, message) => {
      await using other = await startOther(changes);
      expect(await other.refuse(REGISTER, { input: there() })).toMatchObject({ code: "REGION_UNAVAILABLE", message });
      expect(await sql(other.databaseUrl, "select key from tenantry.regions")).toEqual([]);
    });

    test("whose certificate is revoked while it runs is refused from then on, by a grant too", async () => {
      const certificate = authority.certify(NAMES);
      const list = authority.revoke();
      await using other = await startOther((port) => ({ certificate, address: `${at(port)}&sslcrl=${list}` }));
      await other.ask(REGISTER, { input: there() });
      const tried = async () => tryRegion(other.services, OPERATOR, await getRegion(other.services, "there"));
      expect(await tried()).toEqual([]);
      copyFileSync(authority.revoke(certificate.certFile), list);
      expect(await tried()).toEqual([`${BY_REGION}: ${UNPROVED}`]);
      const revoked = await grant(other, await createOrganization(other, "Refused"), "there");
      expect(revoked.failure).toBe(`${BY_REGION}: ${UNPROVED}`);
    });

    test("shows a certificate that was replaced, and the one before while the new one is not whole", async () => {
      const files = authority.certify(NAMES);
      const certificate = await Certificate.load(files);
      const first = await certificate.context();
      let now = performance.now();
      const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
      try {
        const later = () => {
          now += 60_000;
          return certificate.context();
        };
        expect(await later()).toBe(first);
        const fresh = authority.certify(NAMES);
        copyFileSync(fresh.certFile, files.certFile);
        expect(await later()).toBe(first);
        copyFileSync(fresh.keyFile, files.keyFile);
        const second = await later();
        expect(second).not.toBe(first);
        rmSync(files.certFile);
        expect(await later()).toBe(second);
      } finally {
        clock.mockRestore();
      }
    });
  });

  test("a server's certificate that was revoked does not pass", async () => {
    const certificate = authority.certify(["IP:127.0.0.1"]);
    await using revoked = await startServer({ settings: tlsOnly(certificate) });
    const list = authority.revoke();
    const connectionUrl = `${verified(revoked.url())}&sslcrl=${list}`;
    const input = { key: "revoked", name: "Revoked", connectionUrl };
    await app.ask(REGISTER, { input });
    copyFileSync(authority.revoke(certificate.certFile), list);
    expect((await app.refuse(UPDATE, { input: { key: "revoked", connectionUrl } })).message).toMatch(
      /its certificate was revoked\.$/,
    );
  });

  test("a version of TLS that is too old is refused", async () => {
    const settings = { ...tlsOnly(authority.certify(["IP:127.0.0.1"])), ssl_max_protocol_version: "TLSv1.2" };
    await using old = await startServer({ settings });
    const input = (version: string) => ({
      key: "old",
      name: "Old",
      connectionUrl: `${verified(old.url())}&ssl_min_protocol_version=${version}`,
    });
    expect(await app.refuse(REGISTER, { input: input("TLSv1.3") })).toMatchObject({ code: "REGION_UNAVAILABLE" });
    expect(await app.refuse(REGISTER, { input: input("3") })).toMatchObject({ code: "INVALID_INPUT" });
    await app.ask(REGISTER, { input: input("TLSv1.2") });
  });

  test("the file with the authority is replaced while everything runs", async () => {
    const file = join(temporaryFolder(), "authority.crt");
    chmodSync(dirname(file), 0o755);
    const put = (...authorities: Authority[]) =>
      writeFileSync(file, authorities.map(({ rootFile }) => readFileSync(rootFile, "utf8")).join(""));
    put(authority);
    await app.ask(UPDATE, { input: { key: "own", connectionUrl: verified(region.url(), file) } });
    const write = (name: string) => createResource(app, { name, organizationId: organization });
    await write("Before");
    const cut = () =>
      sql(
        verified(region.url("postgres")),
        "select pg_terminate_backend(pid, 1000) from pg_stat_activity where application_name like 'tenantry%'",
      );
    put(stranger);
    await cut();
    await expect(write("Meanwhile")).rejects.toThrow("REGION_UNAVAILABLE");
    put(stranger, authority);
    expect(await eventually(() => write("After").then(Boolean, () => false))).toBe(true);
    // The gateway has read it again too, which connects to the region by that URL.
    const carried = async () => {
      // Of regions whose server the tests before have stopped it says that they are away.
      await app.sweep().catch(() => undefined);
      return (await findDifferences(installation())).length === 0;
    };
    expect(await eventually(carried, 20_000)).toBe(true);
    rmSync(file);
    await cut();
    expect(await eventually(() => write("Without").then(Boolean, () => false))).toBe(true);
  });

  test("a URL that changes nothing but how it is encrypted counts at once", async () => {
    const { certFile, keyFile } = authority.certify(["IP:127.0.0.1"]);
    // It takes both.
    await using either = await startServer({ settings: { ssl: "on", ssl_cert_file: certFile, ssl_key_file: keyFile } });
    await registerRegion(app, "either", `${either.url()}?sslmode=disable`);
    const there = await createOrganization(app, "Either");
    await grant(app, there, "either");
    const ways = async () => {
      const rows = await sql<{ ssl: boolean }>(
        either.url("postgres"),
        `select distinct ssl from pg_stat_activity join pg_stat_ssl using (pid)
       where application_name like 'tenantry%' and client_port > 0`,
      );
      return rows.map(({ ssl }) => ssl);
    };
    expect(await ways()).toEqual([false]);
    await app.ask(UPDATE, { input: { key: "either", connectionUrl: verified(either.url()) } });
    const id = await createResource(app, { name: "Encrypted now", organizationId: there });
    // Old connections end after 10 s without use. Reading keeps a new one in use, so that one is there when they are gone.
    const isEncrypted = async () => {
      await app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id });
      return (await ways()).join() === "true";
    };
    expect(await eventually(isEncrypted, 20_000)).toBe(true);
  });

  describe("a statement is cancelled", () => {
    const QUERY = "{ resources { edges { node { id } } } }";
    /** Another process of the API, whose way to home the test has in its hands, and whose operations have half a second. */
    let hurried: TestApp;
    let toHome: Forwarder;

    beforeAll(async () => {
      toHome = await startForwarder(home.url());
      hurried = await startApp({
        databaseUrl: byName(verified(viaPort(home.url("directory"), toHome.port))),
        secretKey: app.secretKey,
        role: "api",
        api: { limits: { timeoutMs: 500 } },
      });
    });
    beforeEach(async () => {
      // There is a connection to run the next statement on.
      await hurried.ask(QUERY);
    });
    afterAll(async () => {
      await hurried.stop();
      await toHome[Symbol.asyncDispose]();
    });

    /** Holds up what reads resources at home. */
    async function hold(): Promise<AsyncDisposable> {
      const client = new pg.Client({ connectionString: databaseUrl });
      await client.connect();
      await client.query("begin");
      await client.query("lock table catalog.resources in access exclusive mode");
      return { [Symbol.asyncDispose]: () => client.end() };
    }
    const waiting = async () => {
      const [row] = await sql<{ count: number }>(
        databaseUrl,
        `select count(*)::int from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like '%tenantry: resources%'`,
      );
      return row?.count;
    };

    test("over TLS, and the request for it is encrypted", async () => {
      await using stack = new AsyncDisposableStack();
      const sent: Buffer[] = [];
      const spy = (socket: net.Socket) => {
        const server = net.connect(Number(new URL(home.url()).port), "127.0.0.1");
        server.on("error", () => undefined).on("close", () => socket.destroy());
        socket.on("data", (data) => sent.push(data)).on("close", () => server.destroy());
        socket.pipe(server).pipe(socket);
      };
      stack.use(toHome.intercept(spy));
      stack.use(await hold());
      await hurried.refuse(QUERY);
      expect(await eventually(async () => (await waiting()) === 0)).toBe(true);
      expect(sent.length).toBeGreaterThan(0);
      // What a cancel request in the clear begins with.
      const cancelRequest = Buffer.from([0, 0, 0, 16, 4, 210, 22, 46]);
      expect(sent.filter((data) => data.includes(cancelRequest))).toEqual([]);
    });

    test("by nobody who stands in between: the request is not sent to who cannot prove to be the server", async () => {
      await using stack = new AsyncDisposableStack();
      const { certFile, keyFile } = stranger.certify(["DNS:localhost", "IP:127.0.0.1"]);
      const credentials = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
      const overheard: Buffer[] = [];
      let ended = 0;
      const impostor = (socket: net.Socket) => {
        socket.on("close", () => (ended += 1));
        socket.once("data", () => {
          // It takes TLS, it says.
          socket.write("S");
          const secure = new tls.TLSSocket(socket, { isServer: true, ...credentials });
          secure.on("error", () => undefined).on("data", (data: Buffer) => overheard.push(data));
        });
      };
      stack.use(toHome.intercept(impostor));
      stack.use(await hold());
      await hurried.refuse(QUERY);
      expect(await eventually(async () => ended > 0)).toBe(true);
      expect(overheard).toEqual([]);
      expect(await waiting()).toBe(1);
    });
  });
});
