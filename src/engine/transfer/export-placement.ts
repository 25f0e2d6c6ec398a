/** Export: writes one placement's data into a folder, from one snapshot and in bounded memory. */
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { join } from "node:path";
import { type Actor, OPERATOR } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { getOrganization } from "#engine/home/organizations";
import { getPlacement, type Placement } from "#engine/home/placements";
import { numbersOf } from "#engine/home/placement-numbers";
import { isMeant, readIdentity } from "#engine/regions/own-database";
import { findRegions } from "#engine/regions/regions";
import { regionAddress } from "#engine/regions/region-address";
import { TenantryError } from "#base/kernel/errors";
import type { Transaction } from "#base/postgres/database";
import { quoteIdentifier, quoteQualified } from "#base/postgres/identifiers";
import { findUndeclared, type TenantTable } from "#engine/tables";
import {
  type ExportedFile,
  exportedTables,
  type ExportedTable,
  type Manifest,
  prepareFolder,
  writeManifest,
} from "#engine/transfer/export-format";
import { LinesWriter } from "#engine/transfer/json-lines";
import { onPlacement, requesterOf } from "#engine/jobs/job";
import { runHere } from "#engine/jobs/job-here";
import type { Services } from "#engine/services";
import { explainTransfer, type TransferOptions } from "#engine/transfer/transfer-failure";

/**
 * Exports a placement as a job of its own, so that nobody revokes it meanwhile. For the operator only. NOT_FOUND,
 * CONFLICT while another job on it runs, and what {@link exportPlacement} throws.
 */
export async function runExport(
  services: Services,
  actor: Actor,
  placementId: string,
  folder: string,
  options: TransferOptions = {},
): Promise<Manifest> {
  authorizeOperator(actor);
  const placement = await getPlacement(services, actor, placementId);
  const request = { ...onPlacement("export-placement", placement), input: { folder } };
  return runHere(services, requesterOf(actor), request, (run) =>
    run.step("export", async () => {
      const manifest = await exportPlacement(services, placement, folder, options);
      await run.save({ files: manifest.files });
      return manifest;
    }),
  );
}

/**
 * Writes a placement's rows of all declared tables, and its directory, as they are at one moment. `folder` is a new or empty one; an export
 * of the same placement that did not finish is started over. Who calls it sees to it that the database is not dropped
 * meanwhile. Returns the manifest, which is written last. INVALID_INPUT for any other folder, CONFLICT for a placement
 * without a database or with a table that no migration has declared, REGION_UNAVAILABLE.
 */
export async function exportPlacement(
  services: Pick<Services, "home" | "installation" | "pools" | "secrets" | "tables">,
  placement: Placement,
  folder: string,
  options: TransferOptions = {},
): Promise<Manifest> {
  const [address, organization, [region]] = await Promise.all([
    regionAddress(services, placement.regionId),
    getOrganization(services, OPERATOR, placement.organizationId),
    findRegions(services, [placement.regionId]),
  ]);
  const regionKey = region?.key ?? "";
  return explainTransfer({ region: regionKey, again: "Export again into the same folder." }, async () => {
    const database = services.pools.open("tenant", address, placement.database);
    const content = await database.transaction(async (source) => {
      const snapshot = await enterSnapshot(source, services, placement);
      const { tables } = services.tables.at(snapshot.schemaVersion);
      await refuseUndeclared(source, placement, tables);
      await prepareFolder(folder, placement.id);
      return { ...snapshot, files: await exportTables(source, placement, { folder, tables }, options) };
    }, "repeatable read");
    // After the rows: what was adopted while they were read is named too.
    const numbers = await numbersOf(services, placement.id);
    return writeManifest(folder, {
      ...content,
      installation: services.installation,
      placement: {
        id: placement.id,
        number: placement.number,
        adopted: numbers.filter((number) => number !== placement.number),
      },
      organization: { id: organization.id, name: organization.name },
      region: { key: regionKey },
      database: placement.database,
    });
  });
}

type Snapshot = { exportedAt: string; schemaVersion: SchemaVersion };

/** The first statements of the transaction. CONFLICT when the database is not the placement's. */
async function enterSnapshot(
  source: Transaction<"tenant">,
  services: Pick<Services, "installation">,
  placement: Placement,
): Promise<Snapshot> {
  await source.query("export.read_only", "set transaction read only");
  // Moments are written in one zone. Rows come through the index of the key: the planner would rather sort a large table, on
  // the server's disk.
  await source.query(
    "export.settings",
    `select set_config(name, value, true) from (values
       ('timezone', 'UTC'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_sort', 'off'), ('jit', 'off')
     ) as setting (name, value)`,
  );
  const identity = await readIdentity(source);
  if (typeof identity === "string")
    throw new TenantryError("CONFLICT", "The placement's database is still being made: there is nothing to export.");
  if (!isMeant(services, identity, placement))
    throw new TenantryError(
      "CONFLICT",
      `The database ${placement.database} belongs to something else than the placement.`,
    );
  const [moment] = await source.query<{ at: Date }>("export.snapshot", "select now() as at");
  if (moment === undefined) throw new Error("the database did not say what time it is");
  return { exportedAt: moment.at.toISOString(), schemaVersion: identity.version };
}

/** An export without them would look whole, and a revocation would then drop the only copy. */
async function refuseUndeclared(
  source: Transaction<"tenant">,
  { database }: Placement,
  tables: readonly TenantTable[],
): Promise<void> {
  const [first] = await findUndeclared(source, tables);
  if (first !== undefined)
    throw new TenantryError(
      "CONFLICT",
      `The database ${database} has the table ${first}, which no migration has declared, so the export would leave it out: move it to another schema, or declare it with tenantry.tenant_table.`,
    );
}

async function exportTables(
  source: Transaction<"tenant">,
  placement: Placement,
  { folder, tables }: { folder: string; tables: readonly TenantTable[] },
  options: TransferOptions,
): Promise<ExportedFile[]> {
  const files: ExportedFile[] = [];
  const before = { rows: 0, bytes: 0 };
  for (const one of exportedTables(tables)) {
    const file = await exportTable(source, placement, folder, one, {
      ...options,
      onProgress: (progress) =>
        options.onProgress?.({
          ...progress,
          rows: before.rows + progress.rows,
          bytes: before.bytes + progress.bytes,
        }),
    });
    files.push(file);
    before.rows += file.rows;
    before.bytes += file.bytes;
  }
  return files;
}

async function exportTable(
  source: Transaction<"tenant">,
  placement: Placement,
  folder: string,
  { table, file, key, leftOut }: ExportedTable,
  { onProgress, signal }: TransferOptions,
): Promise<ExportedFile> {
  const columns = (await columnsOf(source, table)).filter((column) => !leftOut.includes(column));
  const writer = await LinesWriter.create(join(folder, file));
  try {
    const pages = readPages(source, { placement, table, key, columns });
    for await (const page of pages) {
      signal?.throwIfAborted();
      await writer.write(page);
      onProgress?.({ doing: "exporting", file, ...writer.size });
    }
    return { file, table, columns, ...(await writer.finish()) };
  } finally {
    await writer.close();
  }
}

/** The columns that are stored, in their order: a later migration's are exported without this program knowing them. */
export async function columnsOf(database: Pick<Transaction<"tenant">, "query">, table: string): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "transfer.columns",
    `select attname as name from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped and attgenerated = '' order by attnum`,
    [quoteQualified(table)],
  );
  return rows.map(({ name }) => name);
}

type Reading = { placement: Placement; table: string; key: string; columns: readonly string[] };

/** What is read at once: about this many bytes, and never more rows. A line of the app that ships has 60 kB at most, and seldom 1. */
const PAGE_BYTES = 1024 * 1024;
const MAX_PAGE_ROWS = 512;
/** Nothing is known of the rows' size yet. */
const FIRST_PAGE_ROWS = 64;

/**
 * The rows of the placement's organization as lines, in the order of their keys, so that what did not change has the same
 * checksum again. Each page is read while the one before is used. The server makes the lines. A cursor costs it 1.3 times the
 * CPU of `copy` to nowhere; queries for a page after a key, with the page as one value, 2.5 times (bench/RESULTS.md). Line feeds
 * can only stand between the values of a column of type json, as in a text they are written otherwise. `r.*` and not `r`, which
 * could be a column.
 */
async function* readPages(source: Transaction<"tenant">, reading: Reading): AsyncGenerator<string[]> {
  const { placement, table, key, columns } = reading;
  await source.query(
    "export.open",
    `declare exported no scroll cursor for
     select replace(row_to_json(r.*)::text, E'\\n', ' ') as line from (
       select ${columns.map(quoteIdentifier).join(", ")} from ${quoteQualified(table)}
       where database_id = $1 and organization_id = $2 order by ${quoteIdentifier(key)}
     ) r`,
    [placement.databaseId, placement.organizationId],
  );
  let next = fetchPage(source, FIRST_PAGE_ROWS);
  for (let page = await next; page.length > 0; page = await next) {
    const characters = page.reduce((sum, line) => sum + line.length, 0);
    const fitting = Math.floor((PAGE_BYTES * page.length) / characters);
    next = fetchPage(source, Math.max(1, Math.min(fitting, MAX_PAGE_ROWS)));
    // When the page cannot be used, nobody waits for this one.
    next.catch(() => undefined);
    yield page;
  }
  await source.query("export.close", "close exported");
}

async function fetchPage(source: Transaction<"tenant">, rows: number): Promise<string[]> {
  const page = await source.query<{ line: string }>("export.fetch", `fetch forward ${rows} from exported`);
  // One line is one row, whatever the region's server says.
  if (page.length > rows || page.some(({ line }) => typeof line !== "string" || line.includes("\n")))
    throw new TenantryError("CONFLICT", "The region's server gave rows that cannot be exported.");
  return page.map(({ line }) => line);
}
