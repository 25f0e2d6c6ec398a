/** A placement's data as files, and back. */
import { latestOf } from "../../src/engine/migrations/schema-version.ts";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { newRoutedId, placementNumberOf } from "../../src/base/kernel/ids.ts";
import { createLogger } from "../../src/base/observability/logger.ts";
import { runExport } from "../../src/engine/transfer/export-placement.ts";
import { runImport } from "../../src/engine/transfer/import-placement.ts";
import { placementSubject } from "../../src/engine/jobs/job.ts";
import { LOCK_CLASS, tryLock, unlock } from "../../src/base/postgres/session-lock.ts";
import type { Services } from "../../src/engine/services.ts";
import { closeServices, createServices } from "../../src/services.ts";
import { TENANT_SCHEMA } from "../../src/app/schema.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { routedIdSql } from "../support/routed-id.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant as request,
  type Granted,
  registerRegion,
} from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

const AWKWARD =
  'Line one\nline two\r\n\ttab "quotes" \\ \\n back \u0001 \u2028 \u2029 \u0085 é ẞ 中 😀 {"a":[1]} \\u0000';
const LONG = "😀".repeat(10_000);

let app: TestApp;
let services: Services;
let folder: string;
let organization: string;
let author: string;
let placement: Granted;
let resource: string;

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  services = await createServices({
    databaseUrl: app.databaseUrl,
    secretKey: app.secretKey,
    logger: createLogger({ level: "silent" }),
    migrateHome: false,
    tenantSchema: TENANT_SCHEMA,
  });
});
afterAll(async () => {
  await closeServices(services);
  await app.stop();
});

beforeEach(async () => {
  folder = join(temporaryFolder(), "export");
  author = await createUser(app, "Author");
  organization = await createOrganization(app, "Exported");
  await addMember(app, organization, author);
  placement = await grant(organization);
  resource = await createResource(app, { name: 'A "name" é \u3000 \\', organizationId: organization }, author);
  await comment(app, resource, author, AWKWARD);
  await comment(app, resource, author, LONG);
});

/** Grants, and waits until the job has let go of the placement. */
async function grant(of: string, regionKey = "eu"): Promise<Granted> {
  const granted = await request(app, of, regionKey);
  const isFree = () =>
    services.home.session(async (session) => {
      const subject = placementSubject(granted.id);
      const free = await tryLock(session, LOCK_CLASS.jobSubject, subject);
      if (free) await unlock(session, LOCK_CLASS.jobSubject, subject);
      return free;
    });
  await eventually(isFree);
  return granted;
}

const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

/** The program as an operator runs it. */
async function tenantry(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  return promisify(execFile)(process.execPath, [program, ...args], { env }).then(
    (output) => ({ code: 0, ...output }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );
}

const exported = (options: Parameters<typeof runExport>[4] = {}, to = folder) =>
  runExport(services, OPERATOR, placement.id, to, options);
const imported = (options: Parameters<typeof runImport>[4] = {}, into = placement.id) =>
  runImport(services, OPERATOR, into, folder, options);
const tenant = (of = placement) => `${serverUrl("eu")}/${of.database}`;
const lines = (file: string): any[] =>
  readFileSync(join(folder, file), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

/** Every row of the workspace, without which database it is in. */
const content = (url = tenant()) =>
  sql(
    url,
    `select 'resource' as what, to_jsonb(r) - 'database_id' as row from app.resources r
     union all select 'comment', to_jsonb(c) - 'database_id' from app.comments c order by 1, 2`,
  );
const clear = () => sql(tenant(), "delete from app.resources");
const numberOf = async (id: string) =>
  Number((await sql(app.databaseUrl, "select number from tenantry.placements where id = $1", [id]))[0]?.["number"]);

/** What revoking leaves of a placement at home. */
async function forget({ id }: Granted): Promise<void> {
  await sql(
    app.databaseUrl,
    `with gone as (delete from tenantry.placements where id = $1 returning number)
     delete from catalog.resources where placement_number in (select number from gone)`,
    [id],
  );
}

function changeManifest(change: object): void {
  const path = join(folder, "manifest.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...change }));
}

/** Changes a file and has the manifest say so: its checksums are no signature. */
function forge(file: string, change: (text: string) => string): void {
  const text = change(readFileSync(join(folder, file), "utf8"));
  writeFileSync(join(folder, file), text);
  const { files } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  Object.assign(
    files.find((one: { file: string }) => one.file === file),
    { bytes: Buffer.byteLength(text), sha256: createHash("sha256").update(text).digest("hex") },
  );
  changeManifest({ files });
}

const READ = `query ($id: ID!) { resource(id: $id) {
  name createdBy { id } comments(first: 10) { edges { node { body author { name } } } } } }`;

test("an operator exports, loses rows, imports and has them back as they were; once more changes nothing", async () => {
  const before = await content();
  const out = await tenantry("export", placement.id, "--to", folder, "--json");
  expect(out).toMatchObject({ code: 0, stderr: "" });
  const manifest = JSON.parse(out.stdout);
  expect(manifest).toEqual(JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
  expect(manifest).toMatchObject({
    placement: { id: placement.id, number: await numberOf(placement.id) },
    organization: { id: organization, name: "Exported" },
    region: { key: "eu" },
    database: placement.database,
    schemaVersion: latestOf(TENANT_SCHEMA),
  });
  expect(readdirSync(folder).toSorted()).toEqual([
    "app.comments.ndjson",
    "app.resources.ndjson",
    "manifest.json",
    "members.ndjson",
    "organizations.ndjson",
  ]);
  for (const { file, rows, bytes, sha256 } of manifest.files) {
    const text = readFileSync(join(folder, file));
    expect({ file, bytes, sha256 }).toEqual({
      file,
      bytes: text.length,
      sha256: createHash("sha256").update(text).digest("hex"),
    });
    expect(lines(file)).toHaveLength(rows);
    // Nobody else on the machine reads it.
    expect(statSync(join(folder, file)).mode & 0o077).toBe(0);
  }
  expect(lines("app.comments.ndjson").map(({ body }) => body)).toEqual([AWKWARD, LONG]);
  expect(lines("members.ndjson")).toMatchObject([{ user_id: author, name: "Author", role: "MEMBER" }]);
  expect(lines("organizations.ndjson")).toMatchObject([{ organization_id: organization, name: "Exported" }]);

  await clear();
  const back = await tenantry("import", folder, "--placement", placement.id, "--json");
  expect(back).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(back.stdout)).toEqual({
    placementId: placement.id,
    organizationId: organization,
    tables: { "app.resources": { rows: 1, added: 1 }, "app.comments": { rows: 2, added: 2 } },
    missingMembers: { count: 0, first: [] },
    inCatalog: true,
  });
  expect(await content()).toEqual(before);
  const again = await tenantry("import", folder, "--placement", placement.id);
  expect(again.stdout).toContain("Imported 0 rows of app.comments; 2 were there already and stay as they are.");
  expect(await content()).toEqual(before);
  // The catalog has it: no sweep has run.
  const { resources } = await app.ask("query ($id: ID!) { resources(organizationId: $id) { edges { node { id } } } }", {
    id: organization,
  });
  expect(resources.edges).toEqual([{ node: { id: resource } }]);
  const jobs = await sql(
    app.databaseUrl,
    "select kind, state from tenantry.jobs where placement_id = $1 order by requested_at",
    [placement.id],
  );
  expect(jobs.map(({ kind, state }) => `${String(kind)} ${String(state)}`)).toEqual([
    "provision-placement DONE",
    "export-placement DONE",
    "import-placement DONE",
    "import-placement DONE",
  ]);
});

test("a new placement takes the rows in when the old one is gone: old ids lead to it, and it goes on as usual", async () => {
  await exported();
  const before = await content();
  await forget(placement);
  const next = await grant(organization);
  expect(await numberOf(next.id)).not.toBe(await numberOf(placement.id));
  // It may have been worked in already.
  const own = await createResource(app, { name: "Own", organizationId: organization });
  expect(await imported({}, next.id)).toMatchObject({
    tables: { "app.resources": { rows: 1, added: 1 }, "app.comments": { rows: 2, added: 2 } },
    inCatalog: true,
  });
  expect(await content(tenant(next))).toEqual(expect.arrayContaining(before));
  await comment(app, resource, author, "After the move");
  const read = await app.ask(READ, { id: resource });
  expect(read.resource.createdBy).toEqual({ id: author });
  expect(read.resource.comments.edges.map(({ node }: any) => [node.body, node.author.name])).toEqual([
    [AWKWARD, "Author"],
    [LONG, "Author"],
    ["After the move", "Author"],
  ]);
  for (const id of [own, await createResource(app, { name: "Fresh", organizationId: organization })])
    expect((await app.ask(READ, { id })).resource).toMatchObject({ comments: { edges: [] } });
});

test("ids that lead to a placement which is still there are not taken from it", async () => {
  await exported();
  await registerRegion(app, "us", serverUrl("us")).catch(() => undefined);
  const other = await grant(organization, "us");
  await expect(imported({}, other.id)).rejects.toMatchObject({
    code: "CONFLICT",
    message: `The exported ids lead to placement ${placement.id}: import into that one, or revoke it first.`,
  });
  expect(await content(`${serverUrl("us")}/${other.database}`)).toEqual([]);
  expect(
    await sql(app.databaseUrl, "select from tenantry.adopted_numbers where placement_id = $1", [other.id]),
  ).toEqual([]);
});

test("a number that the sequence has yet to reach is not given to anybody else, only to the next import", async () => {
  await exported();
  const number = (await numberOf(placement.id)) + 3;
  changeManifest({ placement: { id: placement.id, number, adopted: [await numberOf(placement.id)] } });
  await imported();
  const next = async () => grant(await createOrganization(app, "Next"));
  expect(await numberOf((await next()).id)).toBe(number - 2);
  expect(await numberOf((await next()).id)).toBe(number - 1);
  await forget(placement);
  const heir = await next();
  expect(await numberOf(heir.id)).toBe(number + 1);
  expect(await imported({ otherOrganization: true }, heir.id)).toMatchObject({
    tables: { "app.comments": { added: 2 } },
  });
  const second = await next();
  await expect(imported({ otherOrganization: true }, second.id)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining(`lead to placement ${heir.id}`),
  });
});

test("another organization's placement takes it only when that is said", async () => {
  await exported();
  await forget(placement);
  const next = await grant(await createOrganization(app, "Stranger"));
  await expect(imported({}, next.id)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("--other-organization"),
  });
  expect(await content(tenant(next))).toEqual([]);
  expect(await imported({ otherOrganization: true }, next.id)).toMatchObject({
    tables: { "app.comments": { added: 2 } },
    missingMembers: { count: 1, first: [{ userId: author, name: "Author", isUser: true }] },
  });
});

test("a file that was changed is refused by name, and nothing is written", async () => {
  const { files } = await exported();
  await forget(placement);
  const next = await grant(organization);
  const refused = async (what: string) => {
    await expect(imported({}, next.id)).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining(what),
    });
    expect(await content(tenant(next))).toEqual([]);
    const adopted = await sql(app.databaseUrl, "select from tenantry.adopted_numbers where placement_id = $1", [
      next.id,
    ]);
    expect(adopted).toEqual([]);
  };
  changeManifest({ files: files.map((file) => ({ ...file, rows: file.rows + 1 })) });
  await refused("app.resources.ndjson was changed");
  changeManifest({ files: files.map((file) => ({ ...file, file: `../${file.file}` })) });
  await refused("manifest.json is not the manifest");
  changeManifest({ files: files.map((file) => ({ ...file, columns: [...file.columns, "secret"] })) });
  await refused('app.resources.ndjson has the column "secret"');
  changeManifest({ files });
  const path = join(folder, "members.ndjson");
  const text = readFileSync(path, "utf8");
  writeFileSync(path, text.replace("Author", "Auth0r"));
  await refused("members.ndjson was changed");
  writeFileSync(path, text);
  // The last file that would be written.
  appendFileSync(join(folder, "app.comments.ndjson"), "{}\n");
  await refused("app.comments.ndjson was changed");
  const failed = await tenantry("import", folder, "--placement", next.id);
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  expect(failed.stderr).toBe("app.comments.ndjson was changed since it was exported: its checksum is another one.\n");
});

test("rows of a newer schema, and rows that break the rules, are refused", async () => {
  const { schemaVersion } = await exported();
  changeManifest({ schemaVersion: { ...schemaVersion, app: schemaVersion.app + 1 } });
  await expect(imported()).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("migrate it first"),
  });
  await clear();
  changeManifest({ schemaVersion });
  forge("app.resources.ndjson", (text) => text.replace(/"name":[^]*?,"created_by"/, '"name":"","created_by"'));
  expect(lines("app.resources.ndjson")).toMatchObject([{ id: resource, name: "" }]);
  await expect(imported()).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("app.resources.ndjson has a row that cannot be written: its name is empty"),
  });
  for (const name of ["Plans\\r\\nand more", "\u202esnalP"]) {
    forge("app.resources.ndjson", (text) => text.replace(/"name":[^]*?,"created_by"/, `"name":"${name}","created_by"`));
    await expect(imported()).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining(
        "app.resources.ndjson has a row that cannot be written: its name is empty, longer than 200 characters, or has",
      ),
    });
    expect(await content()).toEqual([]);
  }
});

test.each(["1999-12-31T23:59:59.999Z", "2100-01-01T00:00:00+00:00", "294276-12-31T00:00:00Z", "-infinity", "infinity"])(
  "a row of the moment %s is refused by an import",
  async (moment) => {
    await exported();
    await clear();
    // First the comments, whose resources are imported before them.
    for (const file of ["app.comments.ndjson", "app.resources.ndjson"]) {
      forge(file, (text) => text.replace(/"created_at":"[^"]*"/, `"created_at":"${moment}"`));
      await expect(imported()).rejects.toMatchObject({
        code: "INVALID_INPUT",
        message: `${file} has a row that cannot be written: it was not created between the years 2000 and 2100.`,
      });
    }
  },
);

test.each([
  ["app.resources", ["created_at"]],
  ["app.comments", ["created_at"]],
  ["directory_organizations", ["created_at"]],
  ["directory_members", ["joined_at", "user_created_at"]],
  ["users", ["created_at"]],
  ["organizations", ["created_at"]],
  ["memberships", ["joined_at"]],
])("moments of %s have the same bounds at home and in a tenant database", async (table, moments) => {
  const isAtHomeOnly = ["users", "organizations", "memberships"].includes(table);
  for (const url of isAtHomeOnly ? [app.databaseUrl] : [app.databaseUrl, tenant()])
    for (const column of moments) {
      const [constraint] = await sql<{ text: string }>(
        url,
        "select pg_get_constraintdef(oid) as text from pg_constraint where conrelid = $1::regclass and conname = $2",
        [table.includes(".") ? table : `tenantry.${table}`, `${table.replace("app.", "")}_${column}_check`],
      );
      expect([url, constraint?.text]).toEqual([url, `CHECK (tenantry.is_moment(${column}))`]);
    }
});

test.each([
  ["a mark of direction in a name", "resources", /"name":"[^]*?","created_by"/, '"name":"Good\\u202eBad","created_by"'],
  ["a moment of the year 2100", "resources", /"created_at":"[^"]*"/, '"created_at":"2100-01-01T00:00:00+00:00"'],
  ["the end of time", "resources", /"created_at":"[^"]*"/, '"created_at":"infinity"'],
  ["a moment that no Date can be", "comments", /"created_at":"[^"]*"/, '"created_at":"294276-12-31T00:00:00+00:00"'],
])("a row that home would refuse for %s is not imported", async (_, file, pattern, replacement) => {
  await exported();
  await clear();
  forge(`app.${file}.ndjson`, (text) => text.replace(pattern, replacement));
  await expect(imported()).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining(`app.${file}.ndjson has `),
  });
  expect(await sql(tenant(), `select from app.${file}`)).toEqual([]);
});

test("an id that leads to no placement of the export is refused, and nothing of its piece is written", async () => {
  await exported();
  await clear();
  const elsewhere = newRoutedId((await numberOf(placement.id)) + 1_000);
  forge("app.resources.ndjson", (text) => text + text.replaceAll(resource, elsewhere));
  const { files } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
  for (const one of files) if (one.table === "app.resources") one.rows = 2;
  changeManifest({ files });
  await expect(imported()).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: "app.resources.ndjson has an id that does not lead to the exported placement.",
  });
  expect(await content()).toEqual([]);
});

test("rows that went on from placement to placement keep their ids, and each id leads to the last", async () => {
  await exported();
  await forget(placement);
  const second = await grant(organization);
  await imported({}, second.id);
  const later = `${folder}-later`;
  const manifest = await runExport(services, OPERATOR, second.id, later);
  expect(manifest.placement).toEqual({
    id: second.id,
    number: await numberOf(second.id),
    adopted: [placementNumberOf(resource)],
  });
  await forget(second);
  const third = await grant(organization);
  expect(await runImport(services, OPERATOR, third.id, later)).toMatchObject({
    tables: { "app.resources": { rows: 1, added: 1 }, "app.comments": { rows: 2, added: 2 } },
    inCatalog: true,
  });
  expect((await app.ask(READ, { id: resource })).resource).toMatchObject({ createdBy: { id: author } });
});

test("an export that did not finish is no export, and is started over by the same placement only", async () => {
  const stopped = new Error("stopped");
  const controller = new AbortController();
  const onProgress = () => controller.abort(stopped);
  await expect(exported({ onProgress, signal: controller.signal })).rejects.toBe(stopped);
  expect(readdirSync(folder).toSorted()).toEqual(["app.comments.ndjson", "app.resources.ndjson", "unfinished.json"]);
  await expect(imported()).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("did not finish"),
  });

  const other = await grant(await createOrganization(app, "Other"));
  const refused = { code: "INVALID_INPUT", message: expect.stringContaining("not empty") };
  await expect(runExport(services, OPERATOR, other.id, folder)).rejects.toMatchObject(refused);
  writeFileSync(join(folder, "notes.txt"), "mine");
  await expect(exported()).rejects.toMatchObject(refused);
  const strangers = join(temporaryFolder(), "strangers");
  mkdirSync(strangers);
  writeFileSync(join(strangers, "app.comments.ndjson"), "somebody's\n");
  await expect(exported({}, strangers)).rejects.toMatchObject(refused);
  expect(readFileSync(join(strangers, "app.comments.ndjson"), "utf8")).toBe("somebody's\n");

  await sql(tenant(), "delete from app.comments");
  const fresh = join(temporaryFolder(), "fresh");
  await expect(exported({ onProgress, signal: controller.signal }, fresh)).rejects.toBe(stopped);
  expect((await exported({}, fresh)).files.map(({ rows }) => rows)).toEqual([1, 0, 1, 1]);
  expect(existsSync(join(fresh, "unfinished.json"))).toBe(false);
  await expect(exported({}, fresh)).rejects.toMatchObject({
    message: expect.stringContaining("finished export already"),
  });
});

test("an import that was stopped goes on when it is run again", async () => {
  await sql(
    tenant(),
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select ${routedIdSql("tenantry.placement_number_of(id)")}, database_id, organization_id, id, $1, repeat('x', 9000)
     from app.resources, generate_series(1, 700)`,
    [author],
  );
  const manifest = await exported();
  expect(manifest.files.find(({ table }) => table === "app.comments")).toMatchObject({ rows: 702 });
  const before = await content();
  await clear();
  const controller = new AbortController();
  await expect(
    imported({
      signal: controller.signal,
      onProgress: ({ doing, file }) => {
        if (doing === "importing" && file === "app.comments.ndjson") controller.abort(new Error("stopped"));
      },
    }),
  ).rejects.toThrow("stopped");
  const [{ n } = { n: 0 }] = await sql<{ n: number }>(tenant(), "select count(*)::int as n from app.comments");
  expect(n).toBeGreaterThan(0);
  expect(n).toBeLessThan(702);
  expect((await imported()).tables).toEqual({
    "app.resources": { rows: 1, added: 0 },
    "app.comments": { rows: 702, added: 702 - n },
  });
  expect(await content()).toEqual(before);
});

test("what is written during an export is in it as a whole or not at all", async () => {
  const late = newRoutedId(await numberOf(placement.id));
  const writing: Promise<unknown>[] = [];
  const manifest = await exported({
    onProgress: ({ file }) => {
      if (file !== "app.resources.ndjson" || writing.length > 0) return;
      // The resources are read, the comments are not.
      writing.push(
        sql(
          tenant(),
          `with late as (
             insert into app.resources (database_id, id, organization_id, name)
             select database_id, $1, organization_id, 'Late' from app.resources limit 1 returning *
           )
           insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
           select ${routedIdSql("tenantry.placement_number_of(id)")}, database_id, organization_id, id, $2, 'Late' from late`,
          [late, author],
        ),
      );
    },
  });
  await Promise.all(writing);
  expect(writing).toHaveLength(1);
  expect(manifest.files.map(({ rows }) => rows)).toEqual([1, 2, 1, 1]);
  await exported({}, `${folder}-later`);
  const later = JSON.parse(readFileSync(join(`${folder}-later`, "manifest.json"), "utf8"));
  expect(later.files.map(({ rows }: any) => rows)).toEqual([2, 3, 1, 1]);
});

test("the rows of another organization in the same database are neither read nor reached", async () => {
  // As it is in a database that placements share, but with this placement's number: ids alone say nothing here.
  const [stranger, foreign] = [await createOrganization(app, "Neighbour"), newRoutedId(await numberOf(placement.id))];
  await sql(
    tenant(),
    `with theirs as (
       insert into app.resources (database_id, id, organization_id, name)
       select database_id, $1, $2, 'Theirs' from app.resources limit 1 returning *
     ), member as (
       insert into tenantry.directory_members
       select database_id, $2, $3, 'OWNER', now(), 'Neighbour', 'n@example.com', now() from theirs
     ), named as (
       insert into tenantry.directory_organizations select database_id, $2, 'Neighbour', now() from theirs
     )
     insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select $1, database_id, $2, $1, $3, 'Theirs' from theirs`,
    [foreign, stranger, author],
  );
  const manifest = await exported();
  expect(manifest.files.map(({ rows }) => rows)).toEqual([1, 2, 1, 1]);
  for (const file of ["app.resources", "app.comments", "organizations", "members"])
    expect(readFileSync(join(folder, `${file}.ndjson`), "utf8")).not.toMatch(/Theirs|Neighbour/);

  // An export made by hand, which says that one of its comments is on their resource.
  forge("app.comments.ndjson", (text) => text.replaceAll(resource, foreign));
  await sql(tenant(), "delete from app.comments where organization_id = $1", [organization]);
  const refused = { code: "CONFLICT", message: expect.stringContaining("belongs to another organization") };
  await expect(imported()).rejects.toMatchObject(refused);
  const theirs = () => sql(tenant(), "select body from app.comments where resource_id = $1", [foreign]);
  expect(await theirs()).toEqual([{ body: "Theirs" }]);
  // And one whose resource has the id of theirs.
  await sql(tenant(), "delete from app.resources where organization_id = $1", [organization]);
  await sql(tenant(), "update app.resources set organization_id = $1 where id = $2", [stranger, foreign]);
  forge("app.resources.ndjson", (text) => text.replaceAll(resource, foreign));
  await expect(imported()).rejects.toMatchObject(refused);
  expect(await sql(tenant(), "select name from app.resources")).toEqual([{ name: "Theirs" }]);
});

test("columns that a later migration adds travel too, and an older export leaves them at their defaults", async () => {
  const old = `${folder}-old`;
  await exported({}, old);
  await sql(tenant(), "alter table app.comments add column mood text default 'fine', add column loud boolean");
  await sql(tenant(), "update app.comments set mood = 'awful', loud = true");
  await exported();
  const before = await content();
  await clear();
  await imported();
  expect(await content()).toEqual(before);
  await clear();
  await runImport(services, OPERATOR, placement.id, old);
  expect(await sql(tenant(), "select distinct mood, loud from app.comments")).toEqual([{ mood: "fine", loud: null }]);
});

test("many rows, large and small, come back in the order of their ids and without a gap", async () => {
  await sql(
    tenant(),
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select (lpad(to_hex(i), 12, '0') || substr(replace(id::text, '-', ''), 13))::uuid, database_id, organization_id, id, $1,
       case when i <= 300 then repeat('😀', 10000) else 'short ' || i end
     from app.resources, generate_series(1, 10000) i`,
    [author],
  );
  const before = await content();
  const sizes: number[] = [];
  const manifest = await exported({ onProgress: ({ bytes }) => sizes.push(bytes) });
  expect(manifest.files.find(({ table }) => table === "app.comments")).toMatchObject({ rows: 10_002 });
  const pages = sizes.map((size, index) => size - (sizes[index - 1] ?? 0));
  // The resource, and 64 comments of whose size nothing is known; from then on a MB of what JavaScript counts in twos.
  expect(Math.max(...pages.slice(2))).toBeLessThan(2.5 * 2 ** 20);
  const ids = lines("app.comments.ndjson").map(({ id }) => id);
  expect(ids.every((id, index) => index === 0 || id > ids[index - 1])).toBe(true);
  await clear();
  await imported();
  expect(await content()).toEqual(before);
});

test("a database that takes no more writes can be exported; one that is busy, gone or nobody's cannot", async () => {
  await sql(
    `${serverUrl("eu")}/postgres`,
    `alter database ${placement.database} set default_transaction_read_only = on`,
  );
  expect((await exported()).files.map(({ rows }) => rows)).toEqual([1, 2, 1, 1]);
  const { json } = await services.home.session(async (session) => {
    expect(await tryLock(session, LOCK_CLASS.jobSubject, placementSubject(placement.id))).toBe(true);
    const { code, stderr } = await tenantry("export", placement.id, "--to", `${folder}-2`);
    await session.query("test.unlock", "select pg_advisory_unlock_all()");
    return { json: { code, stderr } };
  });
  expect(json).toEqual({ code: 1, stderr: expect.stringContaining("Another job on placement:") });
  expect(existsSync(`${folder}-2`)).toBe(false);
  await sql(app.databaseUrl, "update tenantry.placements set state = 'SUSPENDED' where id = $1", [placement.id]);
  await expect(imported()).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringContaining("SUSPENDED") });
  const nobody = await tenantry("export", organization, "--to", `${folder}-2`);
  expect(nobody).toMatchObject({ code: 1, stderr: "Placement not found.\n" });
  await expect(
    runExport(services, { kind: "user", userId: author }, placement.id, `${folder}-2`),
  ).rejects.toMatchObject({
    code: "FORBIDDEN",
  });
  await eventually(
    async () => (await sql(app.databaseUrl, "select from tenantry.jobs where state = 'RUNNING'")).length === 0,
  );
});
