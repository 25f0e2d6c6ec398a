/**
 * What a tenant database of each schema version has to look like: one file a version beside the migrations, compared in the
 * tests with a fresh database and written anew by `vitest run -u test/integration/schema-manifest.test.ts`.
 */
import { readFileSync } from "node:fs";
import type { SchemaDescription } from "#engine/migrations/fingerprint";

const cache = new Map<number, SchemaDescription | undefined>();

/** The file that describes a version. */
export function manifestFile(version: number): URL {
  return new URL(`../schema/tenant/manifest/${String(version).padStart(4, "0")}.json`, import.meta.url);
}

/** The text of the file. */
export function formatManifest(description: SchemaDescription): string {
  return `${JSON.stringify(description, null, 2)}\n`;
}

/** The schema that a version should have; undefined for a version that this program has no file of. */
export function expectedSchema(version: number): SchemaDescription | undefined {
  if (!cache.has(version)) cache.set(version, read(version));
  return cache.get(version);
}

function read(version: number): SchemaDescription | undefined {
  try {
    return JSON.parse(readFileSync(manifestFile(version), "utf8")) as SchemaDescription;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
