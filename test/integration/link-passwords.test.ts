/** The command that gives links other passwords: what was known before is worth nothing, and rows go on flowing. */
import { execFile } from "node:child_process";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { message } from "../../src/engine/border/protocol/wire.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { connectionsOf } from "../support/connections.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { findDifferences, type Installation } from "../support/replication-truth.ts";
import { ScramClient } from "../support/scram-client.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
const REGIONS = ["eu", "us"] as const;
type Region = (typeof REGIONS)[number];

let app: TestApp;
let installation: Installation;
const organizations: Record<string, string> = {};
const databases: Record<string, string> = {};

beforeAll(async () => {
  app = await startApp({ replication: { sweepIntervalMs: 3_600_000, carrier: { idleMs: 50 } } });
  installation = { homeUrl: app.databaseUrl, regionUrl: (key, name) => `${serverUrl(key as Region)}/${name}` };
  for (const key of REGIONS) {
    await registerRegion(app, key, serverUrl(key));
    organizations[key] = await createOrganization(app, `In ${key}`);
    databases[key] = (await grant(app, organizations[key], key)).database;
  }
});
afterAll(() => app.stop());

async function rotate(...args: string[]): Promise<unknown> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, "border", "rotate", "--json", ...args], {
    env,
  });
  return JSON.parse(stdout);
}

const DIRECTIONS = ["catalog", "directory"] as const;
type Direction = (typeof DIRECTIONS)[number];

/** What the two subscriptions of a region's tenant database sign in with, as their servers keep it. */
async function passwords(region: Region): Promise<Record<Direction, string>> {
  const database = databases[region] ?? "";
  const [catalog, directory] = await Promise.all(
    [app.databaseUrl, `${serverUrl(region)}/${database}`].map(async (url) => {
      const [connection = ""] = await connectionsOf(url, database);
      return /password='([^']+)'/.exec(connection)?.[1] ?? "";
    }),
  );
  return { catalog: catalog ?? "", directory: directory ?? "" };
}

async function signIn(region: Region, direction: Direction, password: string) {
  const socket = net.connect(app.gatewayPort ?? 0, "127.0.0.1");
  const said = await new ScramClient(socket, `${databases[region]}_${direction}`, password).signIn({
    replication: "database",
  });
  return { socket, said };
}

/** Whether the gateway lets both links of a region in with these passwords. */
async function areLetIn(region: Region, given: Record<Direction, string>): Promise<boolean[]> {
  return Promise.all(
    DIRECTIONS.map(async (direction) => {
      const { socket, said } = await signIn(region, direction, given[direction]);
      socket.destroy();
      return said.includes("server_version");
    }),
  );
}

async function carries(region: Region): Promise<void> {
  const organizationId = organizations[region] ?? "";
  await createResource(app, { name: "Carried", organizationId });
  await addMember(app, organizationId, await createUser(app, "Carried"));
  const isCarried = async () => {
    // A carrier that is just being replaced may not have heard of it.
    await sql(app.databaseUrl, "update tenantry.links set checked_at = now() - interval '1 day'");
    await app.sweep();
    return (await findDifferences(installation)).length === 0;
  };
  expect(await eventually(isCarried)).toBe(true);
}

/** Streams a link by hand, as somebody would who has its password. */
async function steal(region: Region, direction: Direction, password: string): Promise<net.Socket> {
  const { socket } = await signIn(region, direction, password);
  const link = `${databases[region]}_${direction}`;
  socket.write(
    message("Q", `START_REPLICATION SLOT "${link}" LOGICAL 0/0 (proto_version '1', publication_names '"${link}"')`),
  );
  const publisher = direction === "directory" ? app.databaseUrl : `${serverUrl(region)}/postgres`;
  const isStreaming = "select from pg_replication_slots where slot_name = $1 and active";
  expect(await eventually(async () => (await sql(publisher, isStreaming, [link])).length === 1)).toBe(true);
  return socket;
}

test("of one region: the passwords before are refused, what streams by them ends, and rows go on flowing", async () => {
  await carries("eu");
  await carries("us");
  const [before, elsewhere] = [await passwords("eu"), await passwords("us")];
  expect(await areLetIn("eu", before)).toEqual([true, true]);
  const stolen = [await steal("eu", "catalog", before.catalog), await steal("us", "catalog", elsewhere.catalog)];
  for (const socket of stolen) socket.resume();

  expect(await rotate("--region", "eu")).toEqual({ databases: 1, regions: 1 });
  expect(await eventually(async () => stolen[0]?.destroyed)).toBe(true);
  expect(await areLetIn("eu", before)).toEqual([false, false]);
  await carries("eu");
  const after = await passwords("eu");
  expect(after.catalog).not.toBe(before.catalog);
  expect(after.directory).not.toBe(before.directory);
  expect(await areLetIn("eu", after)).toEqual([true, true]);

  // Another region is not touched.
  expect(stolen[1]?.destroyed).toBe(false);
  stolen[1]?.destroy();
  expect(await passwords("us")).toEqual(elsewhere);
  await carries("us");
});

test("of all regions, and each time it is recorded", async () => {
  const before = [await passwords("eu"), await passwords("us")];
  expect(await rotate()).toEqual({ databases: 2, regions: 2 });
  for (const [index, region] of REGIONS.entries()) {
    expect(await areLetIn(region, before[index] ?? { catalog: "", directory: "" })).toEqual([false, false]);
    await carries(region);
  }
  const entries =
    "select subject_kind, subject_id from tenantry.audit_log where action = 'rotateLinkPasswords' order by id";
  expect(await sql(app.databaseUrl, entries)).toEqual([
    { subject_kind: "REGION", subject_id: "eu" },
    { subject_kind: null, subject_id: null },
  ]);
});

test("of a region that there is not: it is said, and nothing is changed", async () => {
  const generations = () =>
    sql(app.databaseUrl, "select id, credential_generation from tenantry.tenant_databases order by id");
  const before = await generations();
  await expect(rotate("--region", "nowhere")).rejects.toMatchObject({
    stderr: expect.stringContaining("There is no region with the key nowhere."),
  });
  expect(await generations()).toEqual(before);
});
