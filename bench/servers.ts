/** Two PostgreSQL servers of a fleet's own, home and one region, with room for every subscription at once. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startCluster } from "../src/embedded/cluster.ts";
import { atExit } from "./at-exit.ts";

export type BenchServer = {
  postmaster: number;
  /** The superuser's URL, with a database when named. */
  url: (database?: string) => string;
};

export type BenchServers = {
  home: BenchServer;
  region: BenchServer;
  /** With `secondRegion` only. */
  second: BenchServer;
  secretKey: string;
  stop: () => Promise<void>;
};

// The attached mode needs a walsender and an apply worker per subscription. Parked, they cost nothing.
const ROOM = {
  max_connections: "400",
  max_replication_slots: "256",
  max_wal_senders: "256",
  max_logical_replication_workers: "256",
  max_worker_processes: "280",
};

const SERVERS = ["home", "region"];
const SECOND = "second";

export type ServerOptions = {
  fsync: boolean;
  /** With a third server. */
  secondRegion?: boolean;
  /** Over those of the bench. */
  settings?: Record<string, string>;
  /** The module of another version of PostgreSQL. */
  binariesPackage?: string | undefined;
};

export async function startServers({
  fsync,
  secondRegion = false,
  settings,
  binariesPackage,
}: ServerOptions): Promise<BenchServers> {
  const dataDir = mkdtempSync(join(tmpdir(), "tenantry-bench-"));
  // As root the servers run as another account, which must get through.
  chmodSync(dataDir, 0o711);
  const forget = atExit(() => endAtOnce(dataDir));
  const cluster = await startCluster({
    dataDir,
    servers: (secondRegion ? [...SERVERS, SECOND] : SERVERS).map((name) => ({ name, preferredPort: undefined })),
    onProgress: () => undefined,
    settings: { ...ROOM, ...settings, ...(fsync ? {} : { fsync: "off" }) },
    durable: fsync,
    ...(binariesPackage === undefined ? {} : { binariesPackage }),
  });
  const server = (name: string): BenchServer => ({
    postmaster: postmasterOf(dataDir, name) ?? 0,
    url: (database) => cluster.servers.get(name)?.url(database) ?? "",
  });
  return {
    home: server("home"),
    region: server("region"),
    second: server(SECOND),
    secretKey: cluster.secretKey,
    stop: async () => {
      forget();
      await cluster.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function postmasterOf(dataDir: string, name: string): number | undefined {
  const file = join(dataDir, name, "postmaster.pid");
  return existsSync(file) ? Number(readFileSync(file, "utf8").split("\n")[0]) : undefined;
}

/** For a bench that ends before its time: the data is of no use to anybody. */
function endAtOnce(dataDir: string): void {
  for (const name of [...SERVERS, SECOND]) {
    const postmaster = postmasterOf(dataDir, name);
    if (postmaster !== undefined) process.kill(postmaster, "SIGQUIT");
  }
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 10 });
}

/** Runs `work` on a connection of its own. */
export async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Runs one statement on a connection of its own. */
export function sql<Row extends object>(url: string, text: string, values: unknown[] = []): Promise<Row[]> {
  return connected(url, async (client) => (await client.query<Row>(text, values)).rows);
}
