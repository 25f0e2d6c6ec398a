/** `tenantry migrate` as an operator runs it. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, createResource, grant, registerRegion } from "../support/journey.ts";

const LATEST = TENANT_SCHEMA.latestVersion;
let app: TestApp;
let database: string;
let tenant: string;
let organization: string;

beforeAll(async () => {
  const migrations = TENANT_SCHEMA.migrations.slice(0, LATEST - 1);
  const older = await startApp({ tenantSchema: { migrations, latestVersion: LATEST - 1 } });
  await registerRegion(older, "eu", serverUrl("eu"));
  organization = await createOrganization(older, "Old");
  ({ database } = await grant(older, organization, "eu"));
  await older.stop();
  const { databaseUrl, secretKey } = older;
  app = await startApp({ databaseUrl, secretKey });
  tenant = `${serverUrl("eu")}/${database}`;
});
afterAll(() => app.stop());

const STEP = `${LATEST - 1} → ${LATEST}`;

async function migrate(...args: string[]): Promise<{ code: number; output: string }> {
  const { databaseUrl, secretKey } = app;
  const program = join(import.meta.dirname, "../../bin/tenantry.js");
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [program, "migrate", ...args], {
      env: { ...process.env, DATABASE_URL: databaseUrl, TENANTRY_SECRET_KEY: secretKey, NO_COLOR: "1" },
    });
    return { code: 0, output: stripVTControlCharacters(stdout) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stripVTControlCharacters(stdout + stderr) };
  }
}

test("it plans, migrates, verifies and names what differs", async () => {
  const plan = await migrate("--plan");
  expect(plan).toEqual({
    code: 0,
    output: `Schema version ${LATEST}: 1 tenant databases to migrate\n  canaries: 1\n    eu ${database}: ${STEP}\n`,
  });
  expect(await sql(tenant, "select count(*)::int as version from tenantry.migrations")).toEqual([
    { version: LATEST - 1 },
  ]);

  const migrated = await migrate();
  expect(migrated.output).toMatch(
    new RegExp(`^eu ${database}: ${STEP} \\(\\d+ ms\\)\n✓ Schema version ${LATEST}: 1 migrated; `),
  );
  expect(migrated.code).toBe(0);
  await createResource(app, { name: "Afterwards", organizationId: organization });
  expect(await migrate()).toMatchObject({ code: 0, output: expect.stringContaining("0 migrated, 1 up to date") });

  await sql(tenant, "alter table app.comments add column stray int");
  const verified = await migrate("--verify", "--json");
  expect(verified.code).toBe(1);
  expect(JSON.parse(verified.output)).toMatchObject({
    verified: 1,
    drifted: [{ database, differences: ["table app.comments has column stray, which is not part of the schema"] }],
  });
});

test("it says which option is wrong", async () => {
  expect(await migrate("--max-failures", "101")).toMatchObject({
    code: 1,
    output: expect.stringContaining("from 0 to 100"),
  });
});
