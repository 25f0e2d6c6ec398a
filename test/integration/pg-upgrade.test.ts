/**
 * A region's server goes through pg_upgrade, as docs/how-to/upgrade-postgresql.md says. With TENANTRY_UPGRADE=full, which takes the
 * programs of a PostgreSQL installation in /usr/lib/postgresql/<version>/bin, of the version that POSTGRES_PACKAGE has.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, copyFileSync, cpSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { readServersHealth } from "../../src/engine/links/replication-health.ts";
import { serverAccount } from "../../src/embedded/account.ts";
import { updateRegion } from "../../src/engine/regions/register-region.ts";
import { majorVersionOf, sql, startApp } from "../support/app.ts";
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
