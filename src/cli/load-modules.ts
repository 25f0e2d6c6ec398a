/** Reads what a team adds to the API from the files that its configuration names. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isModule, type Module } from "#api/graphql/module";
import { invalidInput } from "#base/kernel/errors";
import type { Project } from "#project/load-project";

/** What the files export that defineModule has made. Throws INVALID_INPUT for a file that cannot be loaded or has none. */
export async function loadModules({ folder, configFile, modules }: Project): Promise<Module[]> {
  const found = await Promise.all(modules.map((path) => load(resolve(folder, path), `${configFile} names ${path}`)));
  return found.flat();
}

async function load(file: string, named: string): Promise<Module[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalidInput("modules", `${named}, which cannot be loaded: ${reason}`);
  }
  const modules = Object.values(exported).filter(isModule);
  if (modules.length > 0) return modules;
  throw invalidInput("modules", `${named}, which exports no module: write export const … = defineModule({ … }).`);
}
