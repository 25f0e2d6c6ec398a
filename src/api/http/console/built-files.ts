/** The console's files as the build has left them: `console/dist` in a checkout, `dist/console` in the npm package. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** A file, compressed once. */
export type BuiltFile = { type: string; zipped: Buffer };

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

const FOLDERS = ["../../../../console/dist", "../../../console"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Undefined: it is not built. */
export function findBuiltConsole(): string | undefined {
  return FOLDERS.find((folder) => existsSync(join(folder, "index.html")));
}

/** Undefined: there is no such file. Only names that the folder lists are read, so no name leads out of it. */
export function readBuiltFile(folder: string, name: string): BuiltFile | undefined {
  const type = TYPES[extname(name)];
  const listed = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  if (type === undefined || !listed.includes(join(...name.split("/")))) return undefined;
  return { type, zipped: gzipSync(readFileSync(join(folder, name)), { level: 9 }) };
}
