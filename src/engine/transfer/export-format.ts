/**
 * What an export is: a folder with one file of JSON lines per table and a manifest, which is written last. A folder without
 * a manifest is an export that did not finish.
 */
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { invalidInput } from "#base/kernel/errors";
import { MAX_PLACEMENT_NUMBER } from "#base/kernel/ids";
import { readRegularFile } from "#base/kernel/regular-file";
import type { TenantTable } from "#engine/tables";

/** A table of an export, and the file that its rows are in. */
export type ExportedTable = {
  readonly table: string;
  readonly file: string;
  readonly key: string;
  /** Columns that say no more than the manifest, which names the organization, or that mean nothing elsewhere. */
  readonly leftOut: readonly string[];
};

/** The organization's members, as the region knew them. */
export const MEMBERS_TABLE = "tenantry.directory_members";

const DIRECTORY_TABLES: readonly ExportedTable[] = [
  {
    table: "tenantry.directory_organizations",
    file: "organizations.ndjson",
    key: "organization_id",
    leftOut: ["database_id"],
  },
  { table: MEMBERS_TABLE, file: "members.ndjson", key: "user_id", leftOut: ["database_id", "organization_id"] },
];

/** What is exported of a database with these tables, in an order in which it can be written back. */
export function exportedTables(tables: readonly Pick<TenantTable, "name" | "bare">[]): ExportedTable[] {
  const apps = tables.map(({ name, bare }) => ({
    table: name,
    file: fileNameOf(bare),
    key: "id",
    leftOut: ["database_id", "organization_id"],
  }));
  return [...apps, ...DIRECTORY_TABLES];
}

/** The app's files begin with its schema: no table's file has the name of another one. */
function fileNameOf(bare: string): string {
  return `app.${bare}.ndjson`;
}

const APP_FILE = /^app\.([a-z_][a-z0-9_]{0,62})\.ndjson$/;

const MANIFEST_FILE = "manifest.json";
const MAX_MANIFEST_BYTES = 1_000_000;
/** Says whose export is being written here. Goes when the manifest has come. */
const MARKER_FILE = "unfinished.json";
const FORMAT = "tenantry-export";
const FORMAT_VERSION = 1;
/** Each was a placement whose rows went on to the next. */
const MAX_ADOPTED = 1_000;

const fileSchema = z.object({
  file: z.string(),
  table: z.string(),
  /** The columns in each row. */
  columns: z.array(z.string().min(1).max(63)).min(1),
  rows: z.int().min(0),
  bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  /** The moment of the snapshot. */
  exportedAt: z.iso.datetime(),
  installation: z.string(),
  placement: z.object({
    id: z.uuid(),
    /** Stands in the ids of the rows. */
    number: z.int().min(1).max(MAX_PLACEMENT_NUMBER),
    /** Numbers that lead there besides: of placements whose rows were imported into this one. */
    adopted: z.array(z.int().min(1).max(MAX_PLACEMENT_NUMBER)).max(MAX_ADOPTED).default([]),
  }),
  organization: z.object({ id: z.uuid(), name: z.string() }),
  region: z.object({ key: z.string() }),
  database: z.string(),
  /** The version of the tenant schema that the rows are of. */
  schemaVersion: z.object({ engine: z.int().min(1), app: z.int().min(0) }),
  files: z
    .array(fileSchema)
    // Names of files come from the manifest: nothing outside of the folder is read.
    .refine(
      (files) =>
        new Set(files.map(({ file }) => file)).size === files.length &&
        files.every(({ table, file }) => table === tableOf(file)) &&
        DIRECTORY_TABLES.every(({ file }) => files.some((one) => one.file === file)),
    ),
});

export type ExportedFile = z.infer<typeof fileSchema>;
export type Manifest = z.infer<typeof manifestSchema>;

/** The table whose rows are in a file of this name; undefined: an export has no such file. */
function tableOf(file: string): string | undefined {
  const bare = APP_FILE.exec(file)?.[1];
  if (bare !== undefined) return `app.${bare}`;
  return DIRECTORY_TABLES.find((one) => one.file === file)?.table;
}

/** The manifest's line about a table. */
export function fileOf(manifest: Manifest, table: string): ExportedFile {
  const file = manifest.files.find((one) => one.table === table);
  if (file === undefined) throw new Error(`the manifest has no ${table}`);
  return file;
}

/**
 * Makes the folder ready: a new or an empty one, or one with an unfinished export of the same placement, which is removed.
 * INVALID_INPUT for anything else; nothing that somebody else has put there is touched.
 */
export async function prepareFolder(folder: string, placementId: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await readdir(folder);
  if (found.includes(MANIFEST_FILE))
    throw invalidInput("to", "The folder holds a finished export already: name another one.");
  const isOurs = (name: string) => name === MARKER_FILE || tableOf(name) !== undefined;
  const strange = found.find((name) => !isOurs(name.replace(/\.new$/, "")));
  const begun = found.some((name) => !name.endsWith(".new"));
  if (strange !== undefined || (begun && (await markedPlacement(folder)) !== placementId))
    throw invalidInput(
      "to",
      "The folder is not empty and holds no unfinished export of this placement: name another one.",
    );
  await writeWhole(folder, MARKER_FILE, { format: FORMAT, placement: { id: placementId } });
  for (const name of found) if (name !== MARKER_FILE) await rm(join(folder, name), { force: true });
}

const markerSchema = z.object({ format: z.literal(FORMAT), placement: z.object({ id: z.string() }) });

async function markedPlacement(folder: string): Promise<string | undefined> {
  const marker = markerSchema.safeParse(parseJson(readIfThere(join(folder, MARKER_FILE))));
  return marker.data?.placement.id;
}

/** Finishes an export: with the manifest in its place, it counts. */
export async function writeManifest(
  folder: string,
  content: Omit<Manifest, "format" | "formatVersion">,
): Promise<Manifest> {
  const manifest: Manifest = { format: FORMAT, formatVersion: FORMAT_VERSION, ...content };
  await writeWhole(folder, MANIFEST_FILE, manifest);
  await rm(join(folder, MARKER_FILE), { force: true });
  return manifest;
}

/** The folder's manifest; undefined when there is none. INVALID_INPUT when it is not one that this version knows. */
export async function findManifest(folder: string): Promise<Manifest | undefined> {
  const text = readIfThere(join(folder, MANIFEST_FILE));
  if (text === undefined) return undefined;
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw invalidInput("folder", `${MANIFEST_FILE} is not the manifest of an export that this version knows.`);
  return parsed.data;
}

/** The manifest of a finished export. INVALID_INPUT when the folder holds none. */
export async function readManifest(folder: string): Promise<Manifest> {
  const manifest = await findManifest(folder);
  if (manifest === undefined)
    throw invalidInput("folder", `The folder has no ${MANIFEST_FILE}: it holds no export, or one that did not finish.`);
  return manifest;
}

function readIfThere(path: string): string | undefined {
  try {
    return readRegularFile(path, MAX_MANIFEST_BYTES);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    if (error instanceof Error && !("code" in error))
      throw invalidInput("folder", `${basename(path)} cannot be read: ${error.message}.`);
    throw error;
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Under another name first, and on the disk before it has its own: what has the name is whole. */
async function writeWhole(folder: string, name: string, content: object): Promise<void> {
  const path = join(folder, name);
  const handle = await open(`${path}.new`, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(folder);
}

/** The names in a folder are on the disk only when the folder itself is. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, "r");
    await handle.sync();
  } catch (error) {
    // Windows opens no folders, and some network file systems sync none.
    if (!(error instanceof Error && "code" in error && ["EISDIR", "EPERM", "EINVAL"].includes(String(error.code))))
      throw error;
  } finally {
    await handle?.close();
  }
}
