/**
 * `manifest.json` beside a team's migrations: what each version's calls say about the tables. `tenantry check` writes it from
 * a database that has run them, so a review of a commit shows what will flow. A start compares it.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { TenantryError } from "#base/kernel/errors";
import type { Migration } from "#engine/migrations/migration-set";
import type { DeclaredTables } from "#engine/tables";

const tableSchema = z.strictObject({
  /** Columns that go to home's catalog besides the keys. Empty: the table never leaves its database. */
  flows: z.array(z.string()),
  /** What the columns that are about people hold. */
  personal: z.record(z.string(), z.string()),
});

const manifestSchema = z.strictObject({
  versions: z.array(
    z.strictObject({
      migration: z.string(),
      /** SHA-256 of the file. */
      checksum: z.string(),
      tables: z.record(z.string(), tableSchema),
    }),
  ),
  /** Of the tables that are at home only. Left out: there are none. */
  home: z.array(z.strictObject({ migration: z.string(), checksum: z.string() })).optional(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestTable = z.infer<typeof tableSchema>;

/** What is compared, and how the folder is called in messages. */
type Migrations = {
  readonly migrations: readonly Migration[];
  readonly migrationsName: string;
  readonly home?: { readonly name: string; readonly migrations: readonly Migration[] } | undefined;
};

const MANIFEST = "manifest.json";

/** What always flows with a table that flows. */
const KEYS = new Set(["database_id", "id", "organization_id"]);

/** The path of the manifest beside the migrations. */
export function manifestFile(migrationsFolder: string): string {
  return join(migrationsFolder, MANIFEST);
}

/** The manifest in a folder of migrations; undefined: there is none. Throws INVALID_INPUT for one that is damaged. */
export function readManifest(migrationsFolder: string): Manifest | undefined {
  const file = manifestFile(migrationsFolder);
  if (!existsSync(file)) return undefined;
  try {
    return manifestSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new TenantryError(
      "INVALID_INPUT",
      `${file} is damaged: restore it, or delete it and run tenantry check, which writes it.`,
      { cause },
    );
  }
}

/** The text of the file. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** The manifest of what was declared. */
export function manifestOf(
  { migrations, home }: Pick<Migrations, "migrations" | "home">,
  tables: DeclaredTables,
): Manifest {
  return {
    ...(home !== undefined && {
      home: home.migrations.map(({ file, checksum }) => ({ migration: file, checksum })),
    }),
    versions: migrations.map((migration, index) => ({
      migration: migration.file,
      checksum: migration.checksum,
      tables: Object.fromEntries(
        tables.at({ engine: tables.latest.engine, app: index + 1 }).tables.map(({ name, catalog, personal }) => [
          name,
          {
            flows: (catalog ?? []).filter((column) => !KEYS.has(column)),
            personal: Object.fromEntries(personal.map(({ column, holds }) => [column, holds])),
          },
        ]),
      ),
    })),
  };
}

/** Refuses migrations that are not those which the manifest was made from: before any database is touched. Throws CONFLICT. */
export function refuseOtherMigrations(manifest: Manifest, project: Migrations): void {
  const { migrations, migrationsName, home } = project;
  const refuse = (what: string) =>
    new TenantryError(
      "CONFLICT",
      `${migrationsName}/${MANIFEST} ${what}: run tenantry check, and commit what it writes.`,
    );
  const listed: [readonly { migration: string; checksum: string }[], readonly Migration[], string][] = [
    [manifest.versions, migrations, ""],
    [manifest.home ?? [], home?.migrations ?? [], home === undefined ? "" : `${home.name}/`],
  ];
  for (const [versions, there, prefix] of listed) {
    for (const [index, { migration, checksum }] of versions.entries()) {
      const found = there[index];
      const name = `${prefix}${migration}`;
      if (found === undefined || found.file !== migration) throw refuse(`lists ${name}, which is not there`);
      if (found.checksum !== checksum) throw refuse(`was made from another text of ${name}`);
    }
    const unknown = there[versions.length];
    if (unknown !== undefined) throw refuse(`does not list ${prefix}${unknown.file}`);
  }
}

/** Refuses a manifest that says something else than the calls did. Throws CONFLICT with the first difference. */
export function refuseOtherTables(
  manifest: Manifest,
  { migrations, migrationsName, home }: Migrations,
  tables: DeclaredTables,
): void {
  const [difference] = describeChanges(manifest, manifestOf({ migrations, home }, tables));
  if (difference === undefined) return;
  throw new TenantryError(
    "CONFLICT",
    `${migrationsName}/${MANIFEST} is not what the migrations say (${difference}): run tenantry check, and commit what it writes.`,
  );
}

/** What is otherwise in `now` than in `before`, one line each. */
export function describeChanges(before: Manifest, now: Manifest): string[] {
  const lines: string[] = describeHome(before.home ?? [], now.home ?? []);
  const count = Math.max(before.versions.length, now.versions.length);
  for (let index = 0; index < count; index += 1) {
    const [old, current] = [before.versions[index], now.versions[index]];
    if (current === undefined) lines.push(`${old?.migration ?? ""} is gone`);
    else if (old === undefined) {
      lines.push(`${current.migration} is new`);
      const previous = now.versions[index - 1];
      lines.push(
        ...describeTables(previous?.tables ?? {}, current.tables).map((line) => `${current.migration}: ${line}`),
      );
    } else {
      if (old.migration !== current.migration) lines.push(`${old.migration} is ${current.migration} now`);
      else if (old.checksum !== current.checksum) lines.push(`${current.migration} has another text`);
      lines.push(...describeTables(old.tables, current.tables).map((line) => `${current.migration}: ${line}`));
    }
  }
  return lines;
}

type OfHome = NonNullable<Manifest["home"]>;

function describeHome(before: OfHome, now: OfHome): string[] {
  return Array.from({ length: Math.max(before.length, now.length) }, (_, index) => index).flatMap((index) => {
    const [old, current] = [before[index], now[index]];
    if (current === undefined) return [`${old?.migration ?? ""} of home is gone`];
    if (old === undefined) return [`${current.migration} of home is new`];
    if (old.migration !== current.migration) return [`${old.migration} of home is ${current.migration} now`];
    return old.checksum === current.checksum ? [] : [`${current.migration} of home has another text`];
  });
}

type Tables = Record<string, ManifestTable>;

function describeTables(before: Tables, now: Tables): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])].toSorted();
  return names.flatMap((name) => describeTable(name, before[name], now[name]));
}

const NOTHING: ManifestTable = { flows: [], personal: {} };

function describeTable(name: string, old: ManifestTable | undefined, current: ManifestTable | undefined): string[] {
  const [was, is] = [old ?? NOTHING, current ?? NOTHING];
  const aboutPeople = [...new Set([...Object.keys(was.personal), ...Object.keys(is.personal)])].toSorted();
  return [
    ...(old === undefined ? [`${name} is new`] : current === undefined ? [`${name} is gone`] : []),
    ...is.flows.filter((one) => !was.flows.includes(one)).map((column) => `${name}.${column} now flows to home`),
    ...was.flows.filter((one) => !is.flows.includes(one)).map((column) => `${name}.${column} no longer flows to home`),
    ...aboutPeople
      .filter((column) => was.personal[column] !== is.personal[column])
      .map((column) => {
        const holds = is.personal[column];
        return `${name}.${column} is ${holds === undefined ? "no longer about people" : `about people (${holds})`}`;
      }),
  ];
}

/**
 * The first version that the manifest has already and whose flows are others now: its databases would not know of it.
 * Undefined: there is none.
 */
export function findChangedFlows(before: Manifest, now: Manifest): { migration: string; lines: string[] } | undefined {
  for (const [index, old] of before.versions.entries()) {
    const current = now.versions[index];
    if (current?.migration !== old.migration) continue;
    const lines = describeTables(onlyFlows(old.tables), onlyFlows(current.tables)).filter((line) =>
      / flows? to /.test(line),
    );
    if (lines.length > 0) return { migration: old.migration, lines };
  }
  return undefined;
}

function onlyFlows(tables: Record<string, ManifestTable>): Record<string, ManifestTable> {
  return Object.fromEntries(Object.entries(tables).map(([name, { flows }]) => [name, { flows, personal: {} }]));
}
