/** PostgreSQL servers for a check or a test: in a temporary folder that goes when they stop, or when the process ends. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, startCluster } from "#embedded/cluster";
import { sendSignal } from "#embedded/processes";

/** Nothing of it has to survive a crash of the machine. */
const FAST_SETTINGS = { fsync: "off", full_page_writes: "off", shared_buffers: "64MB" };

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type ScratchServers = {
  /** The superuser's URL of a server, with a database when named. */
  url: (server: string, database?: string) => string;
  stop: () => Promise<void>;
};

/** Starts the servers. `databases` are made on the first one. On failure nothing is left. */
export async function startScratchServers(
  names: readonly [string, ...string[]],
  options: { databases?: readonly string[]; onProgress?: (message: string) => void } = {},
): Promise<ScratchServers> {
  const { databases = [], onProgress = () => undefined } = options;
  const folder = mkdtempSync(join(tmpdir(), "tenantry-"));
  // As root the servers run as another account, which must get through.
  chmodSync(folder, 0o711);
  let cluster: Cluster | undefined;
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const forget = whenEnding(() => {
    for (const { pid } of cluster?.servers.values() ?? []) if (pid !== undefined) sendSignal(pid, "SIGQUIT");
    remove();
  });
  try {
    cluster = await startCluster({
      dataDir: folder,
      servers: names.map((name, index) => ({
        name,
        preferredPort: undefined,
        databases: index === 0 ? databases : [],
      })),
      settings: FAST_SETTINGS,
      durable: false,
      onProgress,
    });
  } catch (error) {
    forget();
    remove();
    throw error;
  }
  const { servers, stop } = cluster;
  return {
    url: (server, database) => servers.get(server)?.url(database) ?? "",
    stop: async () => {
      await stop();
      forget();
      remove();
    },
  };
}

/** Has `work` done when the process ends by itself or by a signal. The returned function takes it back. */
function whenEnding(work: () => void): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    forget();
    work();
    process.kill(process.pid, signal);
  };
  const forget = () => {
    process.off("exit", work);
    for (const signal of ENDING) process.off(signal, onSignal);
  };
  process.on("exit", work);
  for (const signal of ENDING) process.on(signal, onSignal);
  return forget;
}
