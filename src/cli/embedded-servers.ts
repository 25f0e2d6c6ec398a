/** Which embedded servers there are and where their data is: shared by the commands that start or use them. */
import { join } from "node:path";
import type { Settings } from "#config";
import { defaultDataFolder, keptSecret, keptServerUrls } from "#embedded/data-folder";

/** Home and two regions. The ports are wishes: where one is taken when the data folder is made, another is used. */
export const EMBEDDED_SERVERS = [
  { name: "home", preferredPort: 54_320, databases: ["tenantry"] },
  { name: "eu", preferredPort: 54_321 },
  { name: "us", preferredPort: 54_322 },
] as const;

/** The data folder of the embedded servers: beside what is worked on, which is a checkout or a team's project. */
export function dataFolder({ dataDir }: Pick<Settings, "dataDir">): string {
  return dataDir ?? defaultDataFolder(process.cwd());
}

/** Where exports before a revocation go: embedded servers have a folder of ours beside them. */
export function exportFolder(settings: Pick<Settings, "exportFolder" | "databaseUrl" | "dataDir">): string | undefined {
  const { exportFolder: given, databaseUrl } = settings;
  return given ?? (databaseUrl === undefined ? join(dataFolder(settings), "exports") : undefined);
}

/** The regions' connection URLs by key; undefined when home is not embedded or was never started. */
export function embeddedRegionUrls(
  settings: Pick<Settings, "databaseUrl" | "dataDir">,
): Record<string, string> | undefined {
  if (settings.databaseUrl !== undefined) return undefined;
  const urls = keptServerUrls(dataFolder(settings));
  if (urls === undefined) return undefined;
  return Object.fromEntries(Object.entries(urls).filter(([name]) => name !== "home"));
}

/** Where the embedded home is and the key kept beside it; undefined when it was never started. */
export function embeddedHome(
  settings: Pick<Settings, "dataDir">,
): { databaseUrl: string; secretKey: string } | undefined {
  const folder = dataFolder(settings);
  const url = keptServerUrls(folder)?.["home"];
  return url === undefined
    ? undefined
    : { databaseUrl: `${url}/tenantry`, secretKey: keptSecret(folder, "secret-key", "base64") };
}
