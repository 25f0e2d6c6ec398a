/**
 * A region's server goes through pg_upgrade, and home's, as docs/how-to/upgrade-postgresql.md says. With TENANTRY_UPGRADE=full, which takes the
 * programs of a PostgreSQL installation in /usr/lib/postgresql/<version>/bin, of the version that POSTGRES_PACKAGE has.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, copyFileSync, cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { readServersHealth } from "../../src/engine/links/replication-health.ts";
import { serverAccount } from "../../src/embedded/account.ts";
import { updateRegion } from "../../src/engine/regions/register-region.ts";
import { majorVersionOf, serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

/** Stops the server, upgrades its data to the same version, and starts it on the new data. */
async function upgrade(own: OwnServer, programs: string): Promise<void> {
  await own.server.stop();
  const folder = temporaryFolder();
  const account = serverAccount([own.dataFolder]);
  const fresh = join(folder, "fresh");
  const password = join(folder, "password");
  mkdirSync(join(folder, "work"));
  writeFileSync(password, `${new URL(own.url()).password}\n`);
  const passwords = join(folder, "pgpass");
  writeFileSync(passwords, `*:*:*:postgres:${new URL(own.url()).password}\n`, { mode: 0o600 });
  if (account !== undefined)
    execFileSync("chown", ["-R", `${account.uid}:${account.gid}`, folder], { stdio: "ignore" });
  const run = (program: string, args: readonly string[]) =>
    execFileSync(join(programs, program), args, {
      ...(account !== undefined && { uid: account.uid, gid: account.gid }),
      cwd: join(folder, "work"),
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", PGPASSFILE: passwords, HOME: folder },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  run("initdb", [
    "-D",
    fresh,
    "-U",
    "postgres",
    "-E",
    "UTF8",
    "--locale=C",
    "-A",
    "scram-sha-256",
    `--pwfile=${password}`,
  ]);
  // Slots are in the old data, and a server without this setting does not start with them. Ours stand in a file beside the data.
  for (const data of [own.dataFolder, fresh])
    appendFileSync(join(data, "postgresql.conf"), "wal_level = logical\nmax_replication_slots = 256\n");
  run("pg_upgrade", [
    "-b",
    programs,
    "-B",
    programs,
    "-d",
    own.dataFolder,
    "-D",
    fresh,
    "-U",
    "postgres",
    "-s",
    folder,
  ]);
  for (const file of ["postgresql.auto.conf", "pg_hba.conf"])
    copyFileSync(join(own.dataFolder, file), join(fresh, file));
  renameSync(own.dataFolder, `${own.dataFolder}-old`);
  cpSync(fresh, own.dataFolder, { recursive: true });
  if (account !== undefined) execFileSync("chown", ["-R", `${account.uid}:${account.gid}`, own.dataFolder]);
  execFileSync("chmod", ["700", own.dataFolder]);
  await own.server.start();
}

describe.runIf(process.env["TENANTRY_UPGRADE"] === "full")("a region's server that went through pg_upgrade", () => {
  test("is taken again by updateRegion, has all its content, and is carried", async () => {
    await using region = await startServer();
    const programs = `/usr/lib/postgresql/${await majorVersionOf(region.url("postgres"))}/bin`;
    const app = await startApp();
    try {
      await registerRegion(app, "own", region.url());
      const organizationId = await createOrganization(app);
      const author = await createUser(app);
      await addMember(app, organizationId, author);
      const { database } = await grant(app, organizationId, "own");
      const resource = await createResource(app, { name: "Before", organizationId });
      await comment(app, resource, author, "Before");
      await upgrade(region, programs);

      const { changed } = await updateRegion(app.services, OPERATOR, { key: "own", connectionUrl: region.url() });
      expect(changed).toContain("as after pg_upgrade");
      await expect.poll(() => comment(app, resource, author, "After").catch(String)).toMatch(/^[0-9a-f-]{36}$/);
      const after = await createResource(app, { name: "After", organizationId });
      const member = await createUser(app);
      await addMember(app, organizationId, member);
      expect(
        await eventually(
          async () =>
            (await sql(region.url(database), "select from tenantry.directory_members where user_id = $1", [member]))
              .length === 1 &&
            (await sql(app.databaseUrl, "select from catalog.resources where id = $1", [after])).length === 1,
          60_000,
        ),
      ).toBe(true);
      expect((await grant(app, await createOrganization(app), "own")).state).toBe("ACTIVE");
      expect((await readServersHealth(app.services, OPERATOR)).map(({ problem }) => problem)).toEqual([null, null]);
      expect(await findOrphans(app.services)).toEqual([]);
      expect(await findDrift(app.services)).toEqual([]);
    } finally {
      await app.stop();
    }
  }, 180_000);
});

const PAGE = join(import.meta.dirname, "../../docs/how-to/upgrade-postgresql.md");
const PROGRAM = join(import.meta.dirname, "../../bin/tenantry.js");

/** The statements of the how-to, as they stand there: home's subscriptions go, and the server's slots. */
function statementsOfPage(): { dropSubscriptions: string; dropSlots: string } {
  const [dropSubscriptions, dropSlots, ...more] = [...readFileSync(PAGE, "utf8").matchAll(/```sql\n(.*?)```/gs)].map(
    ([, text = ""]) => text,
  );
  if (dropSubscriptions === undefined || dropSlots === undefined || more.length > 0)
    throw new Error("the page has other statements than this test plays");
  return { dropSubscriptions, dropSlots };
}

type Home = Pick<TestApp, "databaseUrl" | "secretKey">;

/** In a process of its own, as an operator runs it while Tenantry is stopped. */
async function tenantry({ databaseUrl, secretKey }: Home, args: readonly string[], input = ""): Promise<string> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: databaseUrl, TENANTRY_SECRET_KEY: secretKey };
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return `${output}exit code ${code}`;
}

type Tenant = { organizationId: string; url: string; author: string; resource: string };

async function createTenant(app: TestApp, region: string, urlOf: (database: string) => string): Promise<Tenant> {
  const organizationId = await createOrganization(app);
  const author = await createUser(app);
  await addMember(app, organizationId, author);
  const { database } = await grant(app, organizationId, region);
  const resource = await createResource(app, { name: "Before", organizationId });
  await comment(app, resource, author, "Before");
  return { organizationId, url: urlOf(database), author, resource };
}

const has = async (url: string, query: string, id: string) => (await sql(url, query, [id])).length === 1;

/** A new row of the tenant database reaches home, and a new member of home's the tenant database; what was before is there. */
async function expectCarried(app: TestApp, { organizationId, url, author, resource }: Tenant): Promise<void> {
  await expect.poll(() => comment(app, resource, author, "After").catch(String)).toMatch(/^[0-9a-f-]{36}$/);
  const after = await createResource(app, { name: "After", organizationId });
  const member = await createUser(app);
  await addMember(app, organizationId, member);
  const inTenant = "select from tenantry.directory_members where user_id = $1";
  const inCatalog = "select from catalog.resources where id = $1";
  for (const id of [author, member]) expect(await eventually(() => has(url, inTenant, id), 60_000)).toBe(true);
  for (const id of [resource, after])
    expect(await eventually(() => has(app.databaseUrl, inCatalog, id), 60_000)).toBe(true);
}

type World = Home & { installation: string; tenants: readonly Tenant[] };

/** A server that is home and a region, beside another region; Tenantry is stopped again. */
async function liveBefore(both: OwnServer): Promise<World> {
  const app = await startApp({ homeServer: both.url() });
  try {
    await registerRegion(app, "both", both.url());
    await registerRegion(app, "eu", serverUrl("eu"));
    const { databaseUrl, secretKey, services } = app;
    const tenants = [
      await createTenant(app, "both", (database) => both.url(database)),
      await createTenant(app, "eu", (database) => `${serverUrl("eu")}/${database}`),
    ];
    return { databaseUrl, secretKey, installation: services.installation, tenants };
  } finally {
    await app.stop();
  }
}

/** Tenantry runs again: everything is carried, `doctor` is content, and no role has become more than it was. */
async function expectAllWell({ installation, tenants, ...home }: World, both: OwnServer): Promise<void> {
  const app = await startApp(home);
  const inbox = `tenantry_${installation}_inbox`;
  try {
    expect(await tenantry(app, ["region", "update", "both"], `${both.url()}\n`)).toContain("as after pg_upgrade");
    for (const tenant of tenants) await expectCarried(app, tenant);
    await expect
      .poll(() => tenantry(app, ["doctor", "--repair"]), { timeout: 60_000 })
      .toMatch(/All well: 3 servers, 2 tenant databases\.\nexit code 0$/);
    expect(await subscriptionsOf(app)).toEqual(tenants.map(() => ({ owner: inbox, isSuperuser: false })));
    for (const region of ["both", "eu"])
      expect((await grant(app, await createOrganization(app), region)).state).toBe("ACTIVE");

    // Somebody who took the other way, and forgot to take it back.
    await sql(home.databaseUrl, `alter role ${inbox} superuser`);
    const told = await tenantry(app, ["doctor"]);
    expect(told).toContain(`the role ${inbox} is a superuser: run ALTER ROLE ${inbox} NOSUPERUSER;`);
    expect(told).toContain("exit code 1");
  } finally {
    await app.stop();
  }
}

/** In home's database: who owns them. */
const subscriptionsOf = ({ databaseUrl }: Home) =>
  sql(
    databaseUrl,
    `select o.rolname as owner, o.rolsuper as "isSuperuser" from pg_subscription s
     join pg_roles o on o.oid = s.subowner join pg_database d on d.oid = s.subdbid where d.datname = current_database()`,
  );

describe.runIf(process.env["TENANTRY_UPGRADE"] === "full")("a server that is home and a region", () => {
  test("goes through pg_upgrade with the steps of the how-to", async () => {
    await using both = await startServer();
    const programs = `/usr/lib/postgresql/${await majorVersionOf(both.url("postgres"))}/bin`;
    const { dropSubscriptions, dropSlots } = statementsOfPage();
    const world = await liveBefore(both);
    const prepare = async () => {
      expect(await subscriptionsOf(world)).toHaveLength(world.tenants.length);
      await sql(world.databaseUrl, dropSubscriptions);
      expect(await subscriptionsOf(world)).toEqual([]);
      await sql(world.databaseUrl, dropSlots);
      expect(await sql(world.databaseUrl, "select from pg_replication_slots")).toEqual([]);
    };
    await prepare();

    // The upgrade came to nothing, and the old server goes on.
    const app = await startApp({ databaseUrl: world.databaseUrl, secretKey: world.secretKey });
    try {
      for (const tenant of world.tenants) await expectCarried(app, tenant);
    } finally {
      await app.stop();
    }

    await prepare();
    await upgrade(both, programs);
    expect(await tenantry(world, ["adopt", "--yes"])).toContain("exit code 0");

    await expectAllWell(world, both);
  }, 240_000);
});
