/**
 * Jobs that a command runs itself are stopped at every failpoint by killing the command, home's server or the region's;
 * running the command again must then do the rest. Which of the three is killed where, failpoints.ts says.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findOrphans } from "../../src/engine/doctor/find-orphans.ts";
import type { CallerKind } from "../../src/engine/jobs/job.ts";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { disastersAt, failpointsOf } from "./failpoints.ts";
import type { Command } from "../support/command-to-crash.ts";
import { openServices } from "../support/fleet.ts";
import {
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  type Granted,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

let home: OwnServer;
let region: OwnServer;
let app: TestApp;
let placement: Granted;
/** A finished export of the placement. */
let exported: string;
let before: unknown[];

beforeAll(async () => {
  [home, region] = await Promise.all([startServer(), startServer()]);
  app = await startApp({
    homeServer: home.url(),
    replication: { carrier: { idleMs: 50, retryMs: 50, maxRetryMs: 500 } },
  });
  await registerRegion(app, "own", region.url());
  const author = await createUser(app, "Author");
  const organization = await createOrganization(app, "Crashed", author);
  placement = await grant(app, organization, "own");
  await comment(app, await createResource(app, { name: "Project", organizationId: organization }), author);
  before = await content();
  exported = join(temporaryFolder(), "exported");
  await run({ kind: "export-placement", folder: exported }).ended;
}, 60_000);
afterAll(async () => {
  await app.stop();
  await home[Symbol.asyncDispose]();
  await region[Symbol.asyncDispose]();
});

const content = () =>
  sql(
    region.url(placement.database),
    "select id, name from app.resources union all select id, body from app.comments order by 1",
  );

const PROGRAM = fileURLToPath(new URL("../support/command-to-crash.ts", import.meta.url));

type Running = { child: ChildProcess; ended: Promise<number>; hear: (line: string) => Promise<void>; goOn: () => void };

function run(what: { kind: CallerKind; folder?: string; failpoint?: string; migrations?: string[] }): Running {
  const { databaseUrl, secretKey } = app;
  const command = { databaseUrl, secretKey, placementId: placement.id, folder: "", ...what } satisfies Command;
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(command)], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => undefined);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  return {
    child,
    ended: once(child, "exit").then(([code]) => Number(code ?? -1)),
    hear: async (line) => {
      if (!(await eventually(async () => lines.includes(line), 20_000)))
        throw new Error(`${line} was expected of the command; it said ${lines.join(" | ")}`);
    },
    goOn: () => child.stdin.write("go on\n"),
  };
}

/** What goes wrong while the command stands at the failpoint. It may fail, but it must end. */
const DISASTERS: Record<string, (running: Running) => Promise<void>> = {
  "the command": async ({ child }) => {
    child.kill("SIGKILL");
  },
  "home's server": async ({ goOn }) => {
    await home.server.kill();
    await home.server.start();
    goOn();
  },
  "the region's server": async ({ goOn }) => {
    await region.server.kill();
    await region.server.start();
    goOn();
  },
};

type Scenario = () => Promise<{
  what: { kind: CallerKind; folder?: string; migrations?: string[] };
  /** When the first run has done it all already, a second would be refused. */
  isDone?: () => boolean;
  check: () => Promise<void>;
}>;

const migrations: string[] = [];

const SCENARIOS: Record<CallerKind, Scenario> = {
  "export-placement": async () => {
    const folder = join(temporaryFolder(), "export");
    return {
      what: { kind: "export-placement", folder },
      isDone: () => existsSync(join(folder, "manifest.json")),
      check: async () => expect(existsSync(join(folder, "manifest.json"))).toBe(true),
    };
  },
  "import-placement": async () => {
    await eventually(() =>
      sql(region.url(placement.database), "delete from app.resources").then(
        () => true,
        () => false,
      ),
    );
    return {
      what: { kind: "import-placement", folder: exported },
      check: async () => expect(await content()).toEqual(before),
    };
  },
  repair: async () => {
    const name = placement.database.replace(/_\d+$/, "_999");
    await sql(region.url("postgres"), `create database ${name}`);
    await sql(region.url(name), "create schema app; create table app.resources (); create table app.comments ()");
    await sql(region.url(name), `select pg_create_logical_replication_slot('${name}_catalog', 'pgoutput')`);
    return {
      what: { kind: "repair" },
      check: async () => {
        await using services = await openServices(app);
        expect(await findOrphans(services)).toEqual([]);
      },
    };
  },
  "migrate-databases": async () => {
    migrations.push(`create table tenantry.crash_${migrations.length} (id int)`);
    return {
      what: { kind: "migrate-databases", migrations: [...migrations] },
      check: async () => {
        const [row] = await sql<{ tables: number }>(
          region.url(placement.database),
          "select count(*)::int as tables from pg_tables where schemaname = 'tenantry' and tablename like 'crash%'",
        );
        expect(row?.tables).toBe(migrations.length);
        expect(
          await sql(app.databaseUrl, "select from tenantry.tenant_databases where migrating_to_app is not null"),
        ).toEqual([]);
      },
    };
  },
};

// Migrating comes last: the API of this test is then an older program.
const KINDS: CallerKind[] = ["export-placement", "import-placement", "repair", "migrate-databases"];

test("every kind of job that a command runs is here", () => {
  expect(KINDS.toSorted()).toEqual(Object.keys(SCENARIOS).toSorted());
});

describe.each(KINDS)("%s", (kind) => {
  test.each(disastersAt(failpointsOf(kind), Object.keys(DISASTERS)))(
    "when $victim is killed at $failpoint it is done when run again",
    async ({ failpoint, victim }) => {
      const { what, isDone, check } = await SCENARIOS[kind]();
      const first = run({ ...what, failpoint });
      await first.hear(`at ${failpoint}`);
      await DISASTERS[victim]?.(first);
      await first.ended;
      const again = async () => isDone?.() === true || (await run(what).ended) === 0;
      // The command's own lock at home goes with its connection, which the server may notice a moment later.
      expect(await eventually(again, 20_000)).toBe(true);
      await check();
      const open = () => sql(app.databaseUrl, "select from tenantry.jobs where state in ('WAITING', 'RUNNING')");
      expect(await eventually(async () => (await open()).length === 0)).toBe(true);
    },
    60_000,
  );
});
