/** Export: writes one placement's data into a folder, from one snapshot and in bounded memory. */
import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { OPERATOR } from "#auth/actor";
import { getOrganization } from "#directory/organizations";
import type { Placement } from "#directory/placements";
import { findRegions, regionAddress } from "#directory/regions";
import { TenantryError } from "#kernel/errors";
import { quoteIdentifier, quoteLiteral } from "#postgres/identifiers";
import type { Queryable } from "#postgres/database";
import {
  EXPORTED_TABLES,
  type ExportedFile,
  type ExportedTable,
  findManifest,
  type Manifest,
  MANIFEST_FILE,
  MANIFEST_HEAD,
} from "#operations/export-format";
import type { Services } from "#operations/services";

/** A comment has 40 kB at most, so a batch has 10 MB at most. */
const BATCH_ROWS = 250;

export type ExportOptions = {
  /** Hears how much was written so far. */
  onProgress?: (progress: { table: ExportedTable; rows: number; bytes: number }) => void;
};

/**
 * Exports a placement whose database can be reached. An export of the same placement that did not finish is started over; a
 * finished one, or anything else in the folder, is INVALID_INPUT. Returns the manifest, which is written last.
 */
export async function exportPlacement(
  services: Services,
  placement: Placement,
  folder: string,
  options: ExportOptions = {},
): Promise<Manifest> {
  await prepareFolder(folder);
  const address = await regionAddress(services, placement.regionId);
  const database = services.pools.open("tenant", address, placement.database);
  const [organization, [region]] = await Promise.all([
    getOrganization(services, OPERATOR, placement.organizationId),
    findRegions(services, [placement.regionId]),
  ]);
  const files: ExportedFile[] = [];
  // One snapshot for all tables: no comment is without its resource.
  const schemaVersion = await database.transaction(async (source) => {
    const [row] = await source.query<{ version: number }>(
      "export.version",
      "select max(version) as version from tenantry.migrations",
    );
    for (const one of EXPORTED_TABLES) files.push(await exportTable(source, placement, folder, one, options));
    return row?.version ?? 0;
  }, "repeatable read");
  const manifest: Manifest = {
    ...MANIFEST_HEAD,
    exportedAt: new Date().toISOString(),
    installation: services.installation,
    placement: { id: placement.id, number: placement.number, database: placement.database },
    organization: { id: organization.id, name: organization.name },
    region: { key: region?.key ?? "" },
    schemaVersion,
    files,
  };
  await writeWhole(folder, MANIFEST_FILE, `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if ((await findManifest(folder)) !== undefined)
    throw new TenantryError("INVALID_INPUT", "The folder holds a finished export: name another one.");
  const ours = new Set<string>([...EXPORTED_TABLES.map(({ file }) => file), `${MANIFEST_FILE}.new`]);
  const found = await readdir(folder);
  const strange = found.find((name) => !ours.has(name));
  if (strange !== undefined)
    throw new TenantryError("INVALID_INPUT", `The folder is not empty: it holds ${JSON.stringify(strange)}.`);
  for (const name of found) await rm(join(folder, name));
}

async function exportTable(
  source: Queryable<"tenant">,
  placement: Placement,
  folder: string,
  { table, file }: (typeof EXPORTED_TABLES)[number],
  { onProgress }: ExportOptions,
): Promise<ExportedFile> {
  const handle = await open(join(folder, file), "w", 0o600);
  const written = { table, rows: 0, bytes: 0 };
  const hash = createHash("sha256");
  try {
    await openCursor(source, placement, table);
    let batch = await readBatch(source);
    while (batch.length > 0) {
      // The next one is read while this one is written.
      const next = readBatch(source);
      next.catch(() => undefined);
      const bytes = Buffer.from(`${batch.join("\n")}\n`);
      hash.update(bytes);
      await writeAll(handle, bytes);
      written.rows += batch.length;
      written.bytes += bytes.length;
      onProgress?.(written);
      batch = await next;
    }
    await source.query("export.close", "close exported");
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { file, ...written, sha256: hash.digest("hex") };
}

/**
 * Rows come in the order in which they are stored: pages by key would have the server look every row up. Each is one line of
 * JSON, made by the server, in which a line break is written as an escape.
 */
async function openCursor(
  source: Queryable<"tenant">,
  { databaseId, organizationId }: Placement,
  table: ExportedTable,
): Promise<void> {
  await source.query(
    "export.open",
    `declare exported no scroll cursor for
     select row_to_json(t)::text as line from tenantry.${quoteIdentifier(table)} t
     where database_id = ${databaseId} and organization_id = ${quoteLiteral(organizationId)}`,
  );
}

async function readBatch(source: Queryable<"tenant">): Promise<string[]> {
  const rows = await source.query<{ line: string }>("export.read", `fetch ${BATCH_ROWS} from exported`);
  return rows.map(({ line }) => line);
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; )
    written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten;
}

/** Under another name first: what has the name is whole. */
async function writeWhole(folder: string, name: string, text: string): Promise<void> {
  const handle = await open(join(folder, `${name}.new`), "w", 0o600);
  try {
    await writeAll(handle, Buffer.from(text));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(join(folder, `${name}.new`), join(folder, name));
}
