/** Once per run: three PostgreSQL servers in a temporary folder, taken down whatever happens. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startCluster } from "../../src/embedded/cluster.ts";

const SERVERS = ["home", "eu", "us"] as const;

/** Nothing here has to survive a crash of the machine. */
export const FAST_SETTINGS = { fsync: "off", full_page_writes: "off", shared_buffers: "64MB" };

declare module "vitest" {
  export interface ProvidedContext {
    serverUrls: Record<(typeof SERVERS)[number], string>;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "tenantry-test-"));
  const cluster = await startCluster({
    dataDir: folder,
    servers: SERVERS.map((name) => ({ name, preferredPort: undefined })),
    onProgress: () => undefined,
    settings: FAST_SETTINGS,
    durable: false,
  });
  const url = (name: string) => cluster.servers.get(name)?.url() ?? "";
  project.provide("serverUrls", { home: url("home"), eu: url("eu"), us: url("us") });
  return async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
