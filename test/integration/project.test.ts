/** A team's folder: its configuration, its migrations, what `tenantry check` says of them, and what a start refuses. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, test } from "vitest";
import { checkProject } from "../../src/project/check-project.ts";
import { findProject, loadProject, type Project } from "../../src/project/load-project.ts";
import { formatManifest, type Manifest, manifestFile, refuseOtherTables } from "../../src/project/manifest.ts";
import { serverUrl, sql, startApp } from "../support/app.ts";
import { startServer } from "../support/servers.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/invoices/db/tenant/0001_invoices.sql", import.meta.url));

/** A folder with a configuration and with migrations by file name. */
function folderWith(
  migrations: Record<string, string>,
  config = 'export default { migrations: { tenant: "./db/tenant" } };',
): string {
  const folder = mkdtempSync(join(inject("runFolder"), "project-"));
  mkdirSync(join(folder, "db/tenant"), { recursive: true });
  for (const [file, text] of Object.entries(migrations)) writeFileSync(join(folder, "db/tenant", file), text);
  if (config !== "") writeFileSync(join(folder, "tenantry.config.mjs"), config);
  return folder;
}

async function projectIn(folder: string): Promise<Project> {
  const project = await findProject(folder);
  if (project === undefined) throw new Error("there is no project");
  return project;
}

/** The invoices, with more migrations. */
async function invoices(...added: string[]): Promise<Project> {
  const files = added.map((text, index) => [`000${index + 2}_added.sql`, text]);
  const folder = folderWith(Object.fromEntries(files) as Record<string, string>);
  cpSync(EXAMPLE, join(folder, "db/tenant/0001_invoices.sql"));
  return projectIn(folder);
}

const check = (project: Project) => checkProject(project, serverUrl("eu"));

function keep({ migrationsFolder }: Project, manifest: Manifest | undefined): void {
  writeFileSync(manifestFile(migrationsFolder), formatManifest(manifest ?? { versions: [] }));
}

describe("the configuration", () => {
  test("is not needed: the app that ships is used without it", async () => {
    expect(await findProject(folderWith({}, ""))).toBeUndefined();
  });

  test.each([
    ["no default export", "export const config = {};", "exports no configuration"],
    ["an error", 'throw new Error("not now")', "cannot be loaded: not now."],
    ["nothing in it", "export default {};", "migrations is wrong"],
    ["a number for a folder", "export default { migrations: { tenant: 1 } };", "migrations.tenant is wrong"],
    [
      "a setting of another version",
      'export default { migrations: { tenant: "./db/tenant" }, forget: "./forget.sql" };',
      "forget is no setting that this version knows.",
    ],
    ["no folder", 'export default { migrations: { tenant: "./sql" } };', "which is not a folder."],
    ["an empty folder", 'export default { migrations: { tenant: "./db/tenant" } };', "has no migration such as"],
  ])("with %s is refused", async (_, config, sentence) => {
    await expect(findProject(folderWith({}, config))).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining(sentence) as string,
    });
  });

  test("is there once", async () => {
    const folder = folderWith({});
    writeFileSync(join(folder, "tenantry.config.js"), "");
    await expect(findProject(folder)).rejects.toThrow("keep one of them");
  });

  test.each([
    ["0001_a.sql", "0003_c.sql", "0002_<name>.sql was expected"],
    ["0000_a.sql", "0002_c.sql", "0001_<name>.sql was expected"],
    ["0002_a.sql", "0003_b.sql", "0001_<name>.sql was expected"],
    ["0001_a.sql", "second.sql", "0002_<name>.sql was expected"],
  ])("leads to migrations without gaps: not %s and %s", async (first, second, sentence) => {
    await expect(findProject(folderWith({ [first]: "select 1", [second]: "select 1" }))).rejects.toThrow(sentence);
  });
});

test("a check says what flows and what is about people, and leaves nothing on the server", async () => {
  await using server = await startServer();
  const { refusals, manifest } = await checkProject(await invoices(), server.url());
  expect(
    await sql(
      server.url("postgres"),
      `select datname::text as name from pg_database where datname like 'tenantry%'
       union all select rolname from pg_roles where rolname like 'tenantry%'`,
    ),
  ).toEqual([]);
  expect(refusals).toEqual([]);
  expect(manifest?.versions).toMatchObject([
    {
      migration: "0001_invoices.sql",
      tables: {
        "app.invoices": { flows: ["number"], personal: { created_by: "user" } },
        "app.lines": { flows: [], personal: {} },
        "app.attachments": { flows: [], personal: { name: "text" } },
      },
    },
  ]);
});

test("files as drizzle-kit writes them are taken", async () => {
  const folder = folderWith({
    "0000_medical_masked_marvel.sql": `CREATE TABLE "app"."invoices" (
	"id" uuid PRIMARY KEY DEFAULT tenantry.new_id() NOT NULL,
	"organization_id" uuid DEFAULT tenantry.organization() NOT NULL,
	"number" text NOT NULL,
	CONSTRAINT "invoices_organization_id_id" UNIQUE("organization_id","id")
);
--> statement-breakpoint
CREATE TABLE "app"."lines" (
	"id" uuid PRIMARY KEY DEFAULT tenantry.new_id() NOT NULL,
	"organization_id" uuid DEFAULT tenantry.organization() NOT NULL,
	"invoice_id" uuid NOT NULL
);
--> statement-breakpoint
ALTER TABLE "app"."lines" ADD CONSTRAINT "lines_fk" FOREIGN KEY ("organization_id","invoice_id") REFERENCES "app"."invoices"("organization_id","id") ON DELETE no action ON UPDATE no action;`,
    "0001_declare.sql": `-- Custom SQL migration file, put your code below! --
select tenantry.tenant_table('app.invoices');--> statement-breakpoint
select tenantry.tenant_table('app.lines');--> statement-breakpoint
select tenantry.catalog('app.invoices', '{number}');`,
  });
  mkdirSync(join(folder, "db/tenant/meta"));
  writeFileSync(join(folder, "db/tenant/meta/_journal.json"), "{}");
  const { refusals, manifest } = await check(await projectIn(folder));
  expect(refusals).toEqual([]);
  expect(manifest?.versions.map(({ migration, tables }) => [migration, Object.keys(tables)])).toEqual([
    ["0000_medical_masked_marvel.sql", []],
    ["0001_declare.sql", ["app.invoices", "app.lines"]],
  ]);
});

const TABLE = "create table app.wrong (id uuid primary key, organization_id uuid not null";

test.each([
  ["a table that nobody declared", `${TABLE})`, "The table app.wrong was not declared"],
  [
    "a table without a primary key",
    "create table app.wrong (id uuid not null, organization_id uuid not null); select tenantry.tenant_table('app.wrong')",
    "db/tenant/0002_added.sql: tenantry.tenant_table: app.wrong has no primary key",
  ],
  [
    "an identity column",
    `${TABLE}, n int generated always as identity); select tenantry.tenant_table('app.wrong')`,
    "is an identity column",
  ],
  [
    "a foreign key that leaves the tenant",
    `${TABLE}, invoice_id uuid references app.invoices); select tenantry.tenant_table('app.wrong')`,
    "put organization_id into the foreign key",
  ],
  [
    "a column that flows and is gone",
    "alter table app.invoices drop column number",
    "The column number of app.invoices flows to home and is not there",
  ],
  [
    "a column that flows under another name",
    "alter table app.invoices rename column number to label",
    "The column number of app.invoices flows to home and is not there",
  ],
  [
    "a column that flows with another type",
    "alter table app.invoices alter column number type varchar(50)",
    "flows to home as text and is character varying(50) now",
  ],
  ["SQL that does not run", "select 1;\nselect * from nowhere;", "db/tenant/0002_added.sql line 2: relation"],
])("a check refuses %s", async (_, text, sentence) => {
  const { refusals, manifest } = await check(await invoices(text));
  expect(refusals).toEqual([expect.stringContaining(sentence)]);
  expect(manifest).toBeUndefined();
});

const USER_KEY = "user_id uuid not null, unique (organization_id, user_id)";
const DECLARE_USER = (table: string) =>
  `select tenantry.tenant_table('${table}'); select tenantry.personal('${table}', 'user_id', 'user');`;

test.each([
  [
    "text",
    `${TABLE}, user_id text); ${DECLARE_USER("app.wrong")}`,
    "user_id of app.wrong is no stored column of the type uuid",
  ],
  [
    "the row's key",
    `${TABLE}); select tenantry.tenant_table('app.wrong'); select tenantry.personal('app.wrong', 'id', 'user');`,
    "id is a key of app.wrong",
  ],
  [
    "text by now",
    `${TABLE}, user_id uuid); ${DECLARE_USER("app.wrong")} alter table app.wrong alter column user_id type text;`,
    "The column user_id of app.wrong is declared as a user's id and is no stored column of the type uuid",
  ],
  [
    "referred to",
    `${TABLE}, ${USER_KEY}); ${DECLARE_USER("app.wrong")}
     create table app.parts (id uuid primary key, organization_id uuid not null, user_id uuid,
       foreign key (organization_id, user_id) references app.wrong (organization_id, user_id));
     select tenantry.tenant_table('app.parts');`,
    "The column user_id of app.wrong is declared as a user's id and is referred to by a foreign key",
  ],
  [
    "not null and refers to another row",
    `create table app.people (id uuid primary key, organization_id uuid not null, ${USER_KEY});
     select tenantry.tenant_table('app.people');
     ${TABLE}, user_id uuid not null, foreign key (organization_id, user_id) references app.people (organization_id, user_id));
     ${DECLARE_USER("app.wrong")}`,
    "The column user_id of app.wrong is declared as a user's id and is not null and part of a foreign key",
  ],
])("a check refuses a user's id that an erasure could not take out: one that is %s", async (_, text, sentence) => {
  const { refusals } = await check(await invoices(text));
  expect(refusals).toEqual([expect.stringContaining(sentence)]);
});

test("a project names its letter of invitation, and a wrong one is refused", async () => {
  const config =
    'export default { migrations: { tenant: "./db/tenant" }, invitation: { text: "./letter.txt", html: "./letter.html" } };';
  const folder = folderWith({ "0001_a.sql": "select 1" }, config);
  await expect(findProject(folder)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringMatching(/invitation\.text names .*letter\.txt, which cannot be read\.$/) as string,
  });
  writeFileSync(join(folder, "letter.txt"), "Subject: Join {{organization}}\n\n{{link}}\n");
  writeFileSync(join(folder, "letter.html"), "<p>{{unknown}}</p>");
  await expect(findProject(folder)).rejects.toMatchObject({
    message: expect.stringContaining("letter.html has {{unknown}}") as string,
  });
  writeFileSync(join(folder, "letter.html"), "<p>{{link}}</p>");
  expect((await findProject(folder))?.invitationTemplate).toMatchObject({
    subject: "Join {{organization}}",
    needsLink: true,
  });
});

describe("a check of erase.sql", () => {
  function withErase(text: string, migrations: Record<string, string> = {}): Promise<Project> {
    const folder = folderWith(
      migrations,
      'export default { migrations: { tenant: "./db/tenant" }, erase: "./db/erase.sql" };',
    );
    cpSync(EXAMPLE, join(folder, "db/tenant/0001_invoices.sql"));
    writeFileSync(join(folder, "db/erase.sql"), text);
    return projectIn(folder);
  }

  test("needs a file that is there", async () => {
    const config = 'export default { migrations: { tenant: "./db/tenant" }, erase: "./erase.sql" };';
    await expect(findProject(folderWith({ "0001_a.sql": "select 1" }, config))).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringMatching(/erase names .*erase\.sql, which cannot be read\.$/) as string,
    });
  });

  test("takes the example's, and knows it by its hash", async () => {
    const project = await withErase(readFileSync(join(EXAMPLE, "../../erase.sql"), "utf8"));
    expect(project.eraseSql).toMatchObject({
      name: "db/erase.sql",
      checksum: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect((await check(project)).refusals).toEqual([]);
  });

  test.each([
    ["one that does not run", "select 1;\ndelete from app.nowhere;", "db/erase.sql line 2: relation"],
    ["one that ends its transaction", "commit;", "db/erase.sql ends its transaction"],
    ["one that begins another", "commit; begin;", "db/erase.sql ends its transaction"],
    [
      "one that is for home alone",
      "delete from tenantry.identities where user_id = tenantry.erased_user()",
      "db/erase.sql line 1: relation",
    ],
  ])("refuses %s", async (_, text, sentence) => {
    const { refusals, manifest } = await check(await withErase(text));
    expect(refusals).toEqual([expect.stringContaining(sentence)]);
    expect(manifest).toBeUndefined();
  });

  test("sees that a table of it was dropped", async () => {
    const dropped = { "0002_dropped.sql": "select tenantry.drop_tenant_table('app.attachments');" };
    const project = await withErase("delete from app.attachments", dropped);
    expect((await check(project)).refusals).toEqual([expect.stringContaining("db/erase.sql line 1: relation")]);
  });
});

test("a check names what changed since the manifest, and refuses another flow in a version that is in it", async () => {
  const project = await invoices();
  const first = await check(project);
  keep(project, first.manifest);
  expect((await check(await projectIn(project.folder))).changes).toEqual([]);

  const file = join(project.migrationsFolder, "0002_due.sql");
  writeFileSync(
    file,
    `alter table app.invoices add column due date; select tenantry.catalog('app.invoices', '{number,due}');
     select tenantry.drop_tenant_table('app.attachments');`,
  );
  const second = await check(await projectIn(project.folder));
  expect(second.refusals).toEqual([]);
  expect(second.changes).toEqual([
    "0002_due.sql is new",
    "0002_due.sql: app.attachments is gone",
    "0002_due.sql: app.attachments.name is no longer about people",
    "0002_due.sql: app.invoices.due now flows to home",
  ]);

  keep(project, second.manifest);
  writeFileSync(file, "alter table app.invoices add column due date;");
  const third = await check(await projectIn(project.folder));
  expect(third.refusals).toEqual([expect.stringContaining("app.invoices.due no longer flows to home")]);
});

test("a start refuses migrations that the manifest does not know, and a manifest that says something else", async () => {
  const project = await invoices();
  const { manifest } = await check(project);
  keep(project, manifest);
  const { folder, migrationsFolder } = project;
  expect((await loadProject(folder))?.manifest).toEqual(manifest);

  const added = join(migrationsFolder, "0002_more.sql");
  writeFileSync(added, "select 1");
  await expect(loadProject(folder)).rejects.toThrow("does not list 0002_more.sql: run tenantry check");

  const other = await invoices();
  keep(other, manifest);
  writeFileSync(join(other.migrationsFolder, "0001_invoices.sql"), "select 1");
  await expect(loadProject(other.folder)).rejects.toThrow("was made from another text of 0001_invoices.sql");

  const claimed = structuredClone(manifest ?? { versions: [] });
  claimed.versions[0]?.tables["app.lines"]?.flows.push("text");
  const refused = startApp({
    tenantSchema: project.tenantSchema,
    role: "api",
    checkTables: (tables) => refuseOtherTables(claimed, project, tables),
  });
  await expect(refused).rejects.toThrow("app.lines.text no longer flows to home");

  keep(project, undefined);
  writeFileSync(manifestFile(migrationsFolder), "{");
  await expect(loadProject(folder)).rejects.toThrow("is damaged");
});

test("with tables of one's own the API has nothing of the app that ships, and all of the rest", async () => {
  const { tenantSchema } = await invoices();
  const app = await startApp({ application: { tenantSchema, modules: [] } });
  try {
    const { __schema: schema } = await app.ask("{ __schema { types { name fields { name } } } }");
    type Type = { name: string; fields: { name: string }[] | null };
    const types: Type[] = schema.types;
    const names = types.flatMap(({ name, fields }) => [name].concat(fields?.map((field) => field.name) ?? []));
    expect(names.filter((name) => /resource|comment/i.test(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(["Organization", "grantRegionAccess", "placementChanged"]));
    expect(await app.refuse("{ resources { edges { node { id } } } }")).toMatchObject({ code: "INVALID_INPUT" });
    const { createOrganization } = await app.ask(
      'mutation { createOrganization(input: { name: "Acme" }) { id members { edges { node { role } } } } }',
    );
    expect(createOrganization.members.edges).toEqual([]);
  } finally {
    await app.stop();
  }
});
