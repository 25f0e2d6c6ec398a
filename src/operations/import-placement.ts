/** Import: brings an export back into a placement, with the ids that the rows had. */
import { join } from "node:path";
import type { Placement } from "#directory/placements";
import { takeNumber } from "#directory/placements";
import { regionAddress } from "#directory/regions";
import { TenantryError } from "#kernel/errors";
import type { TenantDatabase } from "#postgres/database";
import { type ExportedTable, findManifest, type Manifest, readLines, verifyFiles } from "#operations/export-format";
import type { Services } from "#operations/services";

const BATCH_ROWS = 500;
const BATCH_BYTES = 4 * 1024 * 1024;
/** How long the import waits for the catalog at home; what is late arrives all the same. */
const CATALOG_TIMEOUT_MS = 60_000;
const NUDGE_TIMEOUT_MS = 2_000;

export type ImportOptions = { onProgress?: (progress: { table: ExportedTable; rows: number; bytes: number }) => void };

export type Imported = {
  /** Rows that were not there before. */
  written: Record<"resources" | "comments", number>;
  /** Authors and creators who are no members of the organization here. Their rows are kept, without a name to show. */
  unknownPeople: number;
  /** Whether the catalog at home has all of it. */
  inCatalog: boolean;
};

/**
 * Imports a folder into an ACTIVE placement. Rows that are there already stay as they are, so that an import that broke off
 * can be run again. Nothing is written unless every file is as it was exported. INVALID_INPUT for a folder that is no whole
 * export, CONFLICT for a schema newer than this program's, for a placement that is not ACTIVE, and for one that has rows of
 * its own while the exported ids belong to another.
 */
export async function importPlacement(
  services: Services,
  placement: Placement,
  folder: string,
  options: ImportOptions = {},
): Promise<Imported> {
  const manifest = await findManifest(folder);
  if (manifest === undefined)
    throw new TenantryError(
      "INVALID_INPUT",
      "The folder has no manifest.json: it holds no export, or one that did not finish.",
    );
  if (manifest.schemaVersion > services.tenantSchema.latestVersion)
    throw new TenantryError(
      "CONFLICT",
      `The export is of schema version ${manifest.schemaVersion}, newer than the ${services.tenantSchema.latestVersion} this program knows.`,
    );
  if (placement.state !== "ACTIVE")
    throw new TenantryError(
      "CONFLICT",
      `The placement is ${placement.state}: only an ACTIVE one can be imported into.`,
    );
  await verifyFiles(folder, manifest);
  const address = await regionAddress(services, placement.regionId);
  const database = services.pools.open("tenant", address, placement.database);
  await adoptNumber(services, placement, database, manifest);
  const written = { resources: 0, comments: 0 };
  for (const table of ["resources", "comments"] as const)
    written[table] = await importTable(database, placement, folder, manifest, table, options);
  const inCatalog = await untilInCatalog(services, placement);
  return { written, unknownPeople: await countUnknown(database, placement), inCatalog };
}

/** Asks again and again: a nudge is lost when whoever carries the region is just being replaced. */
async function untilInCatalog(services: Services, { databaseId }: Placement): Promise<boolean> {
  const deadline = performance.now() + CATALOG_TIMEOUT_MS;
  for (;;) {
    const late = await services.nudges.carry([{ databaseId, direction: "catalog" }], NUDGE_TIMEOUT_MS);
    if (late.length === 0) return true;
    if (performance.now() > deadline) return false;
  }
}

/**
 * The number of the placement stands in the ids of its rows, and says where they are. So a placement takes over the number
 * of the export's: possible while no other placement has it and this one has no rows under its own.
 */
async function adoptNumber(
  services: Services,
  placement: Placement,
  database: TenantDatabase,
  { placement: exported }: Manifest,
): Promise<void> {
  if (placement.number === exported.number) return;
  const isEmpty = async () => {
    const [row] = await database.query<{ empty: boolean }>(
      "import.empty",
      "select not exists (select from tenantry.resources where database_id = $1) as empty",
      [placement.databaseId],
    );
    return row?.empty === true;
  };
  const refuse = (why: string) =>
    new TenantryError("CONFLICT", `The exported ids belong to placement number ${exported.number}, and ${why}`);
  if (!(await isEmpty()))
    throw refuse("this placement has rows of its own: import into the placement they came from, or into a new one.");
  if (!(await takeNumber(services, placement.id, exported.number)))
    throw refuse("another placement of this installation has that number: import into that one, or revoke it first.");
  // Written between the look and the change, under the old number.
  if (await isEmpty()) return;
  await takeNumber(services, placement.id, placement.number);
  throw refuse("somebody began to work in this placement: import into a new one before it is used.");
}

// Columns are listed: an older export lacks those that came later, which then get their defaults.
const COLUMNS = {
  resources: ["id", "name", "created_by", "created_at"],
  comments: ["id", "resource_id", "author_id", "body", "created_at"],
} as const;

async function importTable(
  database: TenantDatabase,
  placement: Placement,
  folder: string,
  { files }: Manifest,
  table: "resources" | "comments",
  { onProgress }: ImportOptions,
): Promise<number> {
  const file = files.find((one) => one.table === table);
  if (file === undefined) throw new TenantryError("INVALID_INPUT", `The export has no ${table}.`);
  const columns = COLUMNS[table].join(", ");
  const progress = { table, rows: 0, bytes: 0 };
  let written = 0;
  const write = async (lines: readonly string[]) => {
    const rows = await database.query<{ count: number }>(
      "import.write",
      `with added as (
         insert into tenantry.${table} (database_id, organization_id, ${columns})
         select $1, $2, ${columns} from json_populate_recordset(null::tenantry.${table}, $3::json)
         on conflict do nothing returning 1
       ) select count(*)::int as count from added`,
      [placement.databaseId, placement.organizationId, `[${lines.join(",")}]`],
    );
    written += rows[0]?.count ?? 0;
    onProgress?.(progress);
  };
  let batch: string[] = [];
  let bytes = 0;
  for await (const line of readLines(join(folder, file.file))) {
    batch.push(line);
    bytes += Buffer.byteLength(line);
    progress.rows += 1;
    progress.bytes += Buffer.byteLength(line) + 1;
    if (batch.length < BATCH_ROWS && bytes < BATCH_BYTES) continue;
    await write(batch);
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) await write(batch);
  return written;
}

async function countUnknown(database: TenantDatabase, { databaseId, organizationId }: Placement): Promise<number> {
  const [row] = await database.query<{ unknown: number }>(
    "import.unknown",
    `select count(*)::int as unknown from (
       select created_by as id from tenantry.resources where database_id = $1 and created_by is not null
       union select author_id from tenantry.comments where database_id = $1
     ) people
     where not exists (select from tenantry.directory_members m
                       where m.database_id = $1 and m.organization_id = $2 and m.user_id = people.id)`,
    [databaseId, organizationId],
  );
  return row?.unknown ?? 0;
}
