/** The files that say what each version of the tenant schema looks like, against databases made by the migrations. */
import { afterAll, expect, test } from "vitest";
import { fileURLToPath } from "node:url";
import { describeSchema } from "../../src/engine/migrations/fingerprint.ts";
import { formatManifest, manifestFile } from "../../src/engine/migrations/manifest.ts";
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { migrate } from "../../src/engine/migrations/runner.ts";
import { diffSchema } from "../../src/engine/migrations/schema-difference.ts";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { serverUrl, sql } from "../support/app.ts";

const pools = new Pools(() => undefined);
const url = (database: string) => `${serverUrl("eu")}/${database}`;
let count = 0;
const API_ROLE = `manifest_${process.pid}_api`;

afterAll(() => pools.close());

/** A new database with the migrations up to a version. */
async function freshDatabase(version: number) {
  count += 1;
  const name = `manifest_${process.pid}_${count}`;
  await sql(url("postgres"), `create database ${name} template template0`);
  const database = pools.open("tenant", parseServerUrl(serverUrl("eu"), "url"), name);
  await migrate(database, { migrations: TENANT_SCHEMA.migrations.slice(0, version), latestVersion: version }, API_ROLE);
  return { name, database };
}

const FOLDER = new URL("../../src/app/schema/", import.meta.url);

test("the latest version is what its manifest says", async () => {
  const version = TENANT_SCHEMA.latestVersion;
  const { database } = await freshDatabase(version);
  const actual = await describeSchema(database);
  expect(diffSchema(TENANT_SCHEMA.expected?.(version) ?? actual, actual)).toEqual([]);
  await expect(formatManifest(actual)).toMatchFileSnapshot(fileURLToPath(manifestFile(FOLDER, version)));
});

test("what differs is named", async () => {
  const { name, database } = await freshDatabase(TENANT_SCHEMA.latestVersion);
  const before = await describeSchema(database);
  await sql(
    url(name),
    `alter table app.comments drop column body;
     alter table app.comments alter column author_id drop not null;
     alter table app.resources add column extra int;
     alter table app.resources disable row level security;
     alter table tenantry.directory_members disable trigger replace_member;
     drop index app.comments_resource_id;
     create table tenantry.stray (id int primary key);
     drop table tenantry.catalog_changes;
     create or replace function tenantry.refuse_truncate() returns trigger language plpgsql as 'begin return null; end'`,
  );
  const after = await describeSchema(database);
  expect(after.fingerprint).not.toBe(before.fingerprint);
  expect(diffSchema(before, after).toSorted()).toEqual(
    [
      "table app.comments lacks column body",
      "table app.comments lacks constraint comments_body_check",
      'column author_id of table app.comments is "uuid" in place of "uuid not null"',
      "table app.comments lacks index comments_resource_id",
      "table app.resources has column extra, which is not part of the schema",
      'table app.resources is "forced row security" in place of "row security, forced row security"',
      "trigger replace_member of table directory_members is defined otherwise",
      "there is table stray, which is not part of the schema",
      "table catalog_changes is missing",
      "sequence catalog_changes_id_seq is missing",
      "function refuse_truncate() is defined otherwise",
    ].toSorted(),
  );
  expect(diffSchema(before, before)).toEqual([]);
});

test("neither publications nor a role's search path change the fingerprint", async () => {
  const { name, database } = await freshDatabase(TENANT_SCHEMA.latestVersion);
  const before = await describeSchema(database);
  await sql(url(name), "create publication other for table app.resources");
  await sql(url("postgres"), `alter database ${name} set search_path = tenantry, public`);
  await pools.closeDatabase(parseServerUrl(serverUrl("eu"), "url"), name);
  expect(await describeSchema(database)).toEqual(before);
});
