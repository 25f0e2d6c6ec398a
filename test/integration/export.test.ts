/** A placement's data as files, and back. */
import { execFile } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  type Granted,
  registerRegion,
} from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

const AWKWARD = 'Line one\nline two\r\n\ttab "quotes" \\ backslash \u2028 é 😀 </script>';

let app: TestApp;
let exportFolder: string;
let folder: string;
let organization: string;
let author: string;
let placement: Granted;
let resource: string;

beforeAll(async () => {
  exportFolder = temporaryFolder();
  app = await startApp({ exportFolder });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

beforeEach(async () => {
  folder = join(temporaryFolder(), "export");
  author = await createUser(app, "Author");
  organization = await createOrganization(app, "Exported");
  await addMember(app, organization, author);
  placement = await grant(app, organization, "eu");
  resource = await createResource(app, {
    name: AWKWARD.slice(0, 40).replaceAll(/\s/g, " "),
    organizationId: organization,
  });
  await comment(app, resource, author, AWKWARD);
  await comment(app, resource, author, "x".repeat(10_000));
});

const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));

async function tenantry<Answer = any>(...args: string[]): Promise<Answer> {
  const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...args, "--json"], { env });
  return JSON.parse(stdout) as Answer;
}

const failure = (...args: string[]): Promise<string> =>
  tenantry(...args).then(
    () => "it was accepted",
    (error: unknown) => (error as { stderr: string }).stderr,
  );

const tenant = () => `${serverUrl("eu")}/${placement.database}`;

async function content(url: string): Promise<unknown[]> {
  return sql(
    url,
    `select 'resource' as what, id, name as text, created_by as who, created_at::text as at from tenantry.resources
     union all select 'comment', id, body, author_id, created_at::text from tenantry.comments order by 1, 2`,
  );
}

const READ =
  "query ($id: ID!) { resource(id: $id) { name comments(first: 10) { edges { node { body author { name } } } } } }";

test("what is exported and imported again is the same, also when it is run twice", async () => {
  const manifest = await tenantry("export", placement.id, "--to", folder);
  expect(manifest.files.map(({ table, rows }: any) => [table, rows])).toEqual([
    ["directory_organizations", 1],
    ["directory_members", 1],
    ["resources", 1],
    ["comments", 2],
  ]);
  const lines = readFileSync(join(folder, "comments.ndjson"), "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).body)).toContain(AWKWARD);
  const before = await content(tenant());
  await sql(tenant(), "delete from tenantry.resources");
  expect(await content(tenant())).toEqual([]);
  expect(await tenantry("import", folder, "--placement", placement.id)).toEqual({
    written: { resources: 1, comments: 2 },
    unknownPeople: 0,
    inCatalog: true,
  });
  expect(await content(tenant())).toEqual(before);
  const again = await tenantry("import", folder, "--placement", placement.id);
  expect(again.written).toEqual({ resources: 0, comments: 0 });
  expect(await content(tenant())).toEqual(before);
});

test("after a revocation with an export, a new placement takes it in, and the old ids lead there", async () => {
  const input = { placementId: placement.id, confirm: "Exported", skipGrace: true, exportFirst: true };
  await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }", {
    input,
  });
  const gone = () =>
    app.ask("query ($id: ID!) { placement(id: $id) { id } }", { id: placement.id }).then(
      () => false,
      () => true,
    );
  expect(await eventually(gone)).toBe(true);
  const exported = join(exportFolder, placement.id);
  expect(existsSync(join(exported, "manifest.json"))).toBe(true);
  const next = await grant(app, organization, "eu");
  const imported = await tenantry("import", exported, "--placement", next.id);
  expect(imported).toMatchObject({ written: { resources: 1, comments: 2 }, inCatalog: true });
  const read = await app.ask(READ, { id: resource });
  expect(read.resource.comments.edges.map(({ node }: any) => [node.body.slice(0, 8), node.author.name])).toEqual([
    ["Line one", "Author"],
    ["xxxxxxxx", "Author"],
  ]);
  // New rows get ids of the same number, and so are found too.
  const fresh = await createResource(app, { name: "Fresh", organizationId: organization });
  expect((await app.ask(READ, { id: fresh })).resource.name).toBe("Fresh");
  const other = await grant(app, await createOrganization(app, "Later"), "eu");
  expect(other.state).toBe("ACTIVE");
});

test("ids of another placement are not mixed with rows of its own", async () => {
  await tenantry("export", placement.id, "--to", folder);
  const organizationOfOther = await createOrganization(app, "Other");
  const other = await grant(app, organizationOfOther, "eu");
  expect(await failure("import", folder, "--placement", other.id)).toContain(
    "another placement of this installation has that number",
  );
  await createResource(app, { name: "Own", organizationId: organizationOfOther });
  expect(await failure("import", folder, "--placement", other.id)).toContain("has rows of its own");
});

test("a file that was changed is refused by name, and nothing is written", async () => {
  await tenantry("export", placement.id, "--to", folder);
  await sql(tenant(), "delete from tenantry.resources");
  appendFileSync(join(folder, "comments.ndjson"), "\n");
  expect(await failure("import", folder, "--placement", placement.id)).toContain("comments.ndjson was changed");
  rmSync(join(folder, "comments.ndjson"));
  expect(await failure("import", folder, "--placement", placement.id)).toContain("comments.ndjson cannot be read");
  rmSync(join(folder, "manifest.json"));
  expect(await failure("import", folder, "--placement", placement.id)).toContain("no manifest.json");
  expect(await content(tenant())).toEqual([]);
});

test("a newer schema and a folder in use are refused; an export that did not finish is started over", async () => {
  mkdirSync(folder);
  writeFileSync(join(folder, "notes.txt"), "mine");
  expect(await failure("export", placement.id, "--to", folder)).toContain("not empty");
  expect(readdirSync(folder)).toEqual(["notes.txt"]);
  rmSync(join(folder, "notes.txt"));
  writeFileSync(join(folder, "comments.ndjson"), "half a li");
  const manifest = await tenantry("export", placement.id, "--to", folder);
  expect(await failure("export", placement.id, "--to", folder)).toContain("finished export");
  writeFileSync(join(folder, "manifest.json"), JSON.stringify({ ...manifest, schemaVersion: 999 }));
  expect(await failure("import", folder, "--placement", placement.id)).toContain("schema version 999");
});

test("writers go on during an export, and no comment in it is without its resource", async () => {
  const writing = (async () => {
    for (let round = 0; round < 15; round += 1) {
      const id = await createResource(app, { name: `Round ${round}`, organizationId: organization });
      await comment(app, id, author);
    }
  })();
  await tenantry("export", placement.id, "--to", folder);
  await writing;
  const read = (name: string) =>
    readFileSync(join(folder, name), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  const resources = new Set(read("resources.ndjson").map(({ id }) => id));
  expect(read("comments.ndjson").filter(({ resource_id }) => !resources.has(resource_id))).toEqual([]);
});
