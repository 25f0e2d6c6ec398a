/**
 * What an export is: a folder with one file of JSON lines per table and a manifest, which is written last. A folder
 * without a manifest is an export that did not finish.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { TenantryError } from "#kernel/errors";

/** The tables of an export, in an order in which they can be written back. */
export const EXPORTED_TABLES = [
  { table: "directory_organizations", file: "organizations.ndjson" },
  { table: "directory_members", file: "members.ndjson" },
  { table: "resources", file: "resources.ndjson" },
  { table: "comments", file: "comments.ndjson" },
] as const;
export type ExportedTable = (typeof EXPORTED_TABLES)[number]["table"];

export const MANIFEST_FILE = "manifest.json";
const FORMAT = "tenantry-export";
const FORMAT_VERSION = 1;

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  exportedAt: z.iso.datetime(),
  installation: z.string(),
  placement: z.object({ id: z.uuid(), number: z.number().int(), database: z.string() }),
  organization: z.object({ id: z.uuid(), name: z.string() }),
  region: z.object({ key: z.string() }),
  /** The version of the tenant schema that the rows are of. */
  schemaVersion: z.number().int(),
  files: z.array(
    z.object({
      file: z.string(),
      table: z.enum(EXPORTED_TABLES.map(({ table }) => table)),
      rows: z.number().int(),
      bytes: z.number().int(),
      sha256: z.string(),
    }),
  ),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ExportedFile = Manifest["files"][number];

/** The parts of every manifest that never differ. */
export const MANIFEST_HEAD = { format: FORMAT, formatVersion: FORMAT_VERSION } as const;

/** Reads a folder's manifest; undefined when there is none. INVALID_INPUT when it is no manifest of ours. */
export async function findManifest(folder: string): Promise<Manifest | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST_FILE), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success)
    throw new TenantryError(
      "INVALID_INPUT",
      `${MANIFEST_FILE} is not the manifest of an export that this version knows.`,
    );
  return parsed.data;
}

const LINE_FEED = 0x0a;

/**
 * The lines of a file, one after the other. Only a line feed ends a line: Node's readline also splits at U+2028 and U+2029,
 * which JSON leaves as they are in texts.
 */
export async function* readLines(path: string): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of createReadStream(path)) {
    let bytes = chunk as Buffer;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      yield Buffer.concat([...rest, bytes.subarray(0, end)]).toString("utf8");
      rest = [];
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > 0) rest.push(bytes);
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Compares every file with the manifest. INVALID_INPUT naming the first that is missing or was changed. */
export async function verifyFiles(folder: string, { files }: Manifest): Promise<void> {
  for (const expected of files) {
    // Names come from the manifest: nothing outside of the folder is read.
    if (!EXPORTED_TABLES.some(({ file, table }) => file === expected.file && table === expected.table))
      throw new TenantryError("INVALID_INPUT", `${MANIFEST_FILE} names a file that no export has.`);
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(join(folder, expected.file))) hash.update(chunk as Buffer);
    } catch (cause) {
      throw new TenantryError("INVALID_INPUT", `${expected.file} cannot be read.`, { cause });
    }
    if (hash.digest("hex") !== expected.sha256)
      throw new TenantryError(
        "INVALID_INPUT",
        `${expected.file} was changed since it was exported: its checksum is another one.`,
      );
  }
}
