/** Import: brings an export back into a placement, with the ids, moments and authors that the rows had. */
import { VERSION_HERE } from "#engine/migrations/applied";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { join } from "node:path";
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { eraseImported, expectErasures } from "#engine/erasure/erase-imported";
import { requestDueJobs } from "#engine/erasure/erasure-record";
import { adoptNumber, numbersOf } from "#engine/home/placement-numbers";
import { refuseWhileMoving } from "#engine/home/moves-in-the-way";
import { getPlacement, type Placement } from "#engine/home/placements";
import { ownedPieces } from "#engine/regions/owned-pieces";
import { findRegions } from "#engine/regions/regions";
import { regionAddress } from "#engine/regions/region-address";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import type { TenantDatabase } from "#base/postgres/database";
import { failpoint } from "#base/kernel/failpoints";
import { columnsOf } from "#engine/transfer/export-placement";
import { type ExportedFile, fileOf, type Manifest, MEMBERS_TABLE, readManifest } from "#engine/transfer/export-format";
import type { TenantTable } from "#engine/tables";
import { importRows, type ImportTarget } from "#engine/transfer/import-rows";
import { readPieces } from "#engine/transfer/json-lines";
import { listMissingMembers, type MissingMember } from "#engine/transfer/missing-members";
import { onPlacement, requesterOf } from "#engine/jobs/job";
import { runHere } from "#engine/jobs/job-here";
import type { Services } from "#engine/services";
import { waitUntilAllInCatalog } from "#engine/links/visible-writes";
import { explainTransfer, type TransferOptions } from "#engine/transfer/transfer-failure";

/** Who asks for erasures again. */
const IMPORT = "system";

/** How long the import waits for the catalog at home; what is late arrives all the same. */
const CATALOG_TIMEOUT_MS = 60_000;

export type ImportOptions = TransferOptions & {
  /** Also into a placement of another organization than the exported one. */
  otherOrganization?: boolean | undefined;
};

export type Imported = {
  placementId: string;
  organizationId: string;
  /** By the table's name with its schema. `added`: those that were not there before. */
  tables: Record<string, { rows: number; added: number }>;
  /** Exported members who are no members of the organization here. What they wrote is kept, without a name to show. */
  missingMembers: { count: number; first: MissingMember[] };
  /** Whether all imported rows are in the catalog at home; else they are on their way. */
  inCatalog: boolean;
};

/**
 * Imports a folder as a job of its own, so that nobody revokes the placement meanwhile. For the operator only.
 * NOT_FOUND, CONFLICT while another job on it runs, and what {@link importPlacement} throws.
 */
export async function runImport(
  services: Services,
  actor: Actor,
  placementId: string,
  folder: string,
  options: ImportOptions = {},
): Promise<Imported> {
  authorizeOperator(actor);
  const request = {
    ...onPlacement("import-placement", await getPlacement(services, actor, placementId)),
    input: { folder },
  };
  const requestedBy = requesterOf(actor);
  const imported = await runHere(services, requestedBy, request, (run) =>
    run.step("import", async () => {
      // Under the lock: what it was before may have changed.
      const placement = await getPlacement(services, actor, placementId);
      const result = await importPlacement(services, placement, folder, options);
      await run.save(result);
      return result;
    }),
  );
  // They have waited for its end.
  const { databaseId } = await getPlacement(services, actor, placementId);
  await requestDueJobs(services.home, databaseId, { requestedBy, eraseSql: services.eraseSql });
  return imported;
}

/**
 * Writes an export back. Nothing is written unless every file is as it was exported. Rows that are there already stay as they
 * are, so that running it again goes on where it was. Who calls it sees to it that the database is not dropped meanwhile.
 * INVALID_INPUT for a folder that is no whole export, REGION_UNAVAILABLE, and CONFLICT: for a placement that is not ACTIVE, of
 * another organization, or at an older schema, and for ids that lead to another placement.
 */
export async function importPlacement(
  services: Services,
  placement: Placement,
  folder: string,
  options: ImportOptions = {},
): Promise<Imported> {
  const [region] = await findRegions(services, [placement.regionId]);
  return explainTransfer({ region: region?.key ?? "", again: "Import again to go on." }, async () => {
    const manifest = await readManifest(folder);
    await refuseWhileMoving(services, placement.id);
    refuseUnfit(placement, manifest, options);
    const owned = await ownedPieces(services, placement.regionId);
    const address = await regionAddress(services, placement.regionId);
    const database = services.pools.open("tenant", address, placement.database);
    const tables = await findImported(services, database, manifest);
    await verifyFiles(folder, manifest, options);
    const { number, adopted } = manifest.placement;
    for (const one of [number, ...adopted]) await takeNumber(services, placement, one);
    const numbers = await numbersOf(services, placement.id);
    const { databaseId, database: name } = placement;
    const erasures = await expectErasures(services, databaseId, manifest.exportedAt, IMPORT);
    const erase = () => eraseImported(services, { databaseId, name, address, owned }, tables, erasures);
    return importTables(
      services,
      { database, placement, numbers, owned },
      { folder, manifest, tables, erase },
      options,
    );
  });
}

/** What is imported. `erase`: takes out of it what was erased since the export. */
type Source = { folder: string; manifest: Manifest; tables: readonly TenantTable[]; erase: () => Promise<void> };

async function importTables(
  services: Pick<Services, "home" | "logger" | "nudges">,
  target: ImportTarget,
  { folder, manifest, tables, erase }: Source,
  options: ImportOptions,
): Promise<Imported> {
  const { id, organizationId, databaseId } = target.placement;
  const imported: Imported["tables"] = {};
  const before = { rows: 0, bytes: 0 };
  const write = async (table: TenantTable) => {
    const count = await importRows(target, folder, { exported: fileOf(manifest, table.name), table }, options, before);
    imported[table.name] = { rows: count.rows, added: count.added };
    before.rows += count.rows;
    before.bytes += count.bytes;
  };
  // What flows goes into the catalog while the tables after it are written.
  const last = tables.findLastIndex(({ catalog }) => catalog !== null);
  for (const table of tables.slice(0, last + 1)) await write(table);
  const waiting = new AbortController();
  const inCatalog = waitUntilAllInCatalog(services, databaseId, CATALOG_TIMEOUT_MS, waiting.signal);
  try {
    for (const table of tables.slice(last + 1)) await write(table);
    await failpoint("import/written");
    await erase();
    const members = fileOf(manifest, MEMBERS_TABLE);
    return {
      placementId: id,
      organizationId,
      tables: imported,
      missingMembers: await listMissingMembers(services, organizationId, folder, members),
      inCatalog: (await inCatalog).length === 0,
    };
  } finally {
    waiting.abort();
    await inCatalog;
  }
}

function refuseUnfit(placement: Placement, { organization }: Manifest, { otherOrganization }: ImportOptions): void {
  if (placement.state !== "ACTIVE")
    throw new TenantryError(
      "CONFLICT",
      `The placement is ${placement.state}: only an ACTIVE one can be imported into.`,
    );
  if (organization.id !== placement.organizationId && otherOrganization !== true)
    throw new TenantryError(
      "CONFLICT",
      `The export is of the organization ${JSON.stringify(organization.name)} (${organization.id}), and the placement is another one's: say --other-organization if its members may see all of it.`,
    );
}

/**
 * The tables that are written back, in an order in which they can be. The directory is home's to write. Refuses an export of a
 * later schema, as what it means cannot be known. Older rows get the defaults of columns that came since.
 */
async function findImported(
  services: Pick<Services, "tables">,
  database: TenantDatabase,
  manifest: Manifest,
): Promise<TenantTable[]> {
  const [row] = await database.query<{ version: SchemaVersion }>("import.version", `select ${VERSION_HERE} as version`);
  const version = row?.version ?? null;
  // The rows are of the app's tables: the engine's migrations do not change what they mean.
  if (version === null || manifest.schemaVersion.app > version.app)
    throw new TenantryError(
      "CONFLICT",
      `The export has ${manifest.schemaVersion.app} migrations of the app and the placement's database has ${version?.app ?? 0}: migrate it first.`,
    );
  const { tables } = services.tables.at(version);
  const exported = manifest.files.filter(({ table }) => table.startsWith("app."));
  for (const { file, table } of exported)
    if (!tables.some(({ name }) => name === table))
      throw invalidInput("folder", `${file} is of the table ${table}, which is not known here.`);
  for (const one of exported) await refuseUnknownColumns(database, one);
  return tables.filter(({ name }) => exported.some(({ table }) => table === name));
}

async function refuseUnknownColumns(database: TenantDatabase, { file, table, columns }: ExportedFile) {
  const known = await columnsOf(database, table);
  // Whose the rows are is the placement's to say.
  const given = new Set(["database_id", "organization_id"]);
  const unknown = columns.find((column) => given.has(column) || !known.includes(column));
  if (unknown !== undefined)
    throw invalidInput("folder", `${file} has the column ${JSON.stringify(unknown)}, which is not known here.`);
}

/** Reads every file to its end and compares it with the manifest, before anything is written. */
async function verifyFiles(
  folder: string,
  { files }: Manifest,
  { onProgress, signal }: TransferOptions,
): Promise<void> {
  const progress = { rows: 0, bytes: 0 };
  for (const { file, ...content } of files)
    for await (const piece of readPieces(join(folder, file), file, content, signal)) {
      progress.rows += piece.rows;
      progress.bytes += piece.bytes;
      onProgress?.({ doing: "checking", file, ...progress });
    }
}

/** Exported ids lead to the placement with their number: this one has it, or takes it over from one that is gone. */
async function takeNumber(services: Pick<Services, "home">, placement: Placement, number: number): Promise<void> {
  if (number === placement.number) return;
  const owner = await adoptNumber(services, placement.id, number);
  if (owner === placement.id) return;
  throw new TenantryError(
    "CONFLICT",
    owner === undefined
      ? "The placement is gone."
      : `The exported ids lead to placement ${owner}: import into that one, or revoke it first.`,
  );
}
