/** PostgreSQL servers of a test's own: to kill, to restart, to give other settings. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";
import { startCluster } from "../../src/embedded/cluster.ts";
import type { PostgresServer } from "../../src/embedded/postgres-server.ts";
import { FAST_SETTINGS, OTHER_VERSION } from "./global-setup.ts";

export type OwnServer = AsyncDisposable & {
  /** `stop`, `kill` and `start` it as the test needs; its URL stays. */
  server: PostgresServer;
  url: (database?: string) => string;
  /** Where its data is; to be copied while it is stopped. */
  dataFolder: string;
};

/** Copies a stopped server's data, and later puts the copy in its place: what a restored backup does. */
export function backUp({ dataFolder }: OwnServer): { restore: () => void } {
  const copy = `${dataFolder}-backup`;
  // Not cpSync, which leaves the owner behind.
  execFileSync("cp", ["-a", dataFolder, copy]);
  return {
    restore: () => {
      rmSync(dataFolder, { recursive: true });
      renameSync(copy, dataFolder);
    },
  };
}

/** A new folder that goes away with the test run, and with it the servers whose data is in it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(inject("runFolder"), "own-"));
  // As root the servers run as another account, which must get through.
  chmodSync(folder, 0o711);
  return folder;
}

/**
 * Starts one server for the test that asks; use it with `await using`. `binariesPackage` names the npm package of
 * another PostgreSQL version.
 */
export async function startServer(
  options: { settings?: Record<string, string>; binariesPackage?: string; databases?: readonly string[] } = {},
): Promise<OwnServer> {
  const { settings, binariesPackage, databases } = options;
  const dataDir = temporaryFolder();
  const cluster = await startCluster({
    dataDir,
    servers: [{ name: "own", preferredPort: undefined, ...(databases === undefined ? {} : { databases }) }],
    onProgress: () => undefined,
    settings: { ...FAST_SETTINGS, ...settings },
    durable: false,
    ...(binariesPackage === undefined ? OTHER_VERSION : { binariesPackage }),
  });
  const server = cluster.servers.get("own");
  if (server === undefined) throw new Error("the server is missing");
  const dataFolder = join(dataDir, "own");
  return { server, dataFolder, url: (database) => server.url(database), [Symbol.asyncDispose]: cluster.stop };
}
