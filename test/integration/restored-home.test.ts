/**
 * Home is restored from an older copy, as docs/how-to/back-up-home.md says: what comes back, what does not, and what `doctor` lists.
 * With TENANTRY_UPGRADE=full also by pg_dump, with the programs in /usr/lib/postgresql/<version>/bin.
 */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { findDrift } from "../../src/engine/doctor/find-drift.ts";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import { adopt, planAdoption } from "../../src/engine/regions/adopt.ts";
import { majorVersionOf, sql, startApp, type TestApp } from "../support/app.ts";
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
import { type OwnServer, startServer } from "../support/servers.ts";

const REPLICATION = { sweepIntervalMs: 500, carrier: { idleMs: 50, stallMs: 1_500, retryMs: 50 } };

/** Backs a home up, and returns how the backup is restored: the URL of the home that there is then. */
type BackUp = (home: OwnServer, name: string) => Promise<() => Promise<string>>;

/** Another database with all that was in it. */
const byCopy: BackUp = async (home, name) => {
  await sql(home.url("postgres"), `create database backup template ${name}`);
  return async () => {
    await sql(home.url("postgres"), "create database restored template backup");
    return home.url("restored");
  };
};

/** A dump, restored into a server that has none of the roles. */
const byDump: BackUp = async (home, name) => {
  const programs = `/usr/lib/postgresql/${await majorVersionOf(home.url("postgres"))}/bin`;
  const run = (program: string, args: readonly string[], input = "") =>
    execFileSync(`${programs}/${program}`, args, { input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const dump = run("pg_dump", [home.url(name)]);
  return async () => {
    const other = await startServer({ databases: ["restored"] });
    others.push(other);
    run("psql", ["-q", other.url("restored")], dump);
    return other.url("restored");
  };
};
const others: OwnServer[] = [];

async function restoredHome(backUp: BackUp): Promise<void> {
  await using home = await startServer();
  await using region = await startServer();
  let app = await startApp({ homeServer: home.url(), replication: REPLICATION });
  try {
    await registerRegion(app, "own", region.url());
    const organization = await createOrganization(app, "Kept");
    const author = await createUser(app);
    const leaving = await createUser(app);
    for (const user of [author, leaving]) await addMember(app, organization, user);
    const kept = await grant(app, organization, "own");
    const revoked = await createOrganization(app, "Revoked");
    const gone = await grant(app, revoked, "own");
    const lost = await createResource(app, { name: "Lost", organizationId: revoked });
    const { databaseUrl, secretKey } = app;
    await app.stop();
    const restore = await backUp(home, new URL(databaseUrl).pathname.slice(1));

    app = await startApp({ databaseUrl, secretKey, replication: REPLICATION });
    const since = await createResource(app, { name: "Since", organizationId: organization });
    await comment(app, since, author, "Since");
    const member = await createUser(app);
    await addMember(app, organization, member);
    await app.ask(
      "mutation ($input: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $input) { id } }",
      { input: { organizationId: organization, userId: leaving } },
    );
    const forgotten = await createOrganization(app, "Forgotten");
    const unknown = await grant(app, forgotten, "own");
    await createResource(app, { name: "Forgotten", organizationId: forgotten });
    await revoke(app, gone.id, "Revoked");
    await app.stop();

    app = await startApp({ databaseUrl: await restore(), secretKey, replication: REPLICATION });
    expect(
      await app.refuse("mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }", {
        input: { name: "Early", organizationId: organization },
      }),
    ).toMatchObject({ code: "CONFLICT", message: expect.stringContaining("tenantry adopt") });
    expect(await adopt(app.services, OPERATOR, await planAdoption(app.services, OPERATOR))).toEqual([]);

    const members = async () =>
      (
        await sql<{ id: string }>(region.url(kept.database), "select user_id as id from tenantry.directory_members")
      ).map(({ id }) => id);
    expect(await eventually(async () => (await members()).includes(leaving), 30_000)).toBe(true);
    expect(await members()).not.toContain(member);
    const inCatalog = () => sql(app.databaseUrl, "select from catalog.resources where id = $1", [since]);
    expect(await eventually(async () => (await inCatalog()).length === 1, 30_000)).toBe(true);
    await comment(app, since, author, "Again");

    // A placement whose database is gone.
    expect(await app.refuse(`{ resource(id: "${lost}") { name } }`)).toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("does not have the database any more"),
    });
    expect(await findDrift(app.services)).toContainEqual(
      expect.objectContaining({ database: gone.database, differences: ["the database is gone from its server"] }),
    );
    expect((await findOrphans(app.services)).find(({ kind }) => kind === "database")).toMatchObject({
      server: "own",
      name: unknown.database,
      rows: 1,
    });
    await revoke(app, gone.id, "Revoked");
    // The number of the forgotten database is not given again.
    const next = await grant(app, await createOrganization(app, "Next"), "own");
    expect(next.state).toBe("ACTIVE");
    expect(next.database).not.toBe(unknown.database);
  } finally {
    await app.stop();
    await Promise.all(others.splice(0).map((server) => server[Symbol.asyncDispose]()));
  }
}

async function revoke(app: TestApp, id: string, confirm: string): Promise<void> {
  await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
    input: { placementId: id, confirm, skipGrace: true },
  });
  const isGone = async () =>
    (await sql(app.databaseUrl, "select from tenantry.placements where id = $1", [id])).length === 0;
  expect(await eventually(isGone, 20_000)).toBe(true);
}

test(
  "a home that was restored from a copy adopts its regions, and everything is as the how-to says",
  () => restoredHome(byCopy),
  120_000,
);

describe.runIf(process.env["TENANTRY_UPGRADE"] === "full")("with PostgreSQL's own programs", () => {
  test("so does one that was restored by pg_dump without roles", () => restoredHome(byDump), 120_000);
});
