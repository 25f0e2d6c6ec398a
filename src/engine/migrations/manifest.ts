/**
 * What a tenant database of each schema version has to look like: one file a version beside the app's migrations, compared in
 * the tests with a fresh database and written anew by `vitest run -u test/integration/schema-manifest.test.ts`.
 */
import { readFileSync } from "node:fs";
import type { SchemaDescription } from "#engine/migrations/fingerprint";

const cache = new Map<string, SchemaDescription | undefined>();

/** The file that describes a version, beside the migrations in `folder`. */
export function manifestFile(folder: URL, version: number): URL {
  return new URL(`./manifest/${String(version).padStart(4, "0")}.json`, folder);
}

/** The text of the file. */
export function formatManifest(description: SchemaDescription): string {
  return `${JSON.stringify(description, null, 2)}\n`;
}

/** The schema that a version should have; undefined for a version that has no file. */
export function readManifest(folder: URL, version: number): SchemaDescription | undefined {
  const { href } = manifestFile(folder, version);
  if (!cache.has(href)) cache.set(href, read(new URL(href)));
  return cache.get(href);
}

function read(file: URL): SchemaDescription | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as SchemaDescription;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
