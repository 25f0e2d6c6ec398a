/** The embedded servers together: home and two regions, in one data folder that survives restarts. */
import { join } from "node:path";
import { serverAccount, reachableBinaries } from "#embedded/account";
import { findBinaries } from "#embedded/binaries";
import {
  diskError,
  keptSecret,
  lockDataFolder,
  openDataFolder,
  readManifest,
  writeManifest,
} from "#embedded/data-folder";
import { freePort, isPortFree, PostgresServer } from "#embedded/postgres-server";
import { TenantryError } from "#kernel/errors";

export type ClusterOptions = {
  dataDir: string;
  servers: readonly { name: string; preferredPort: number | undefined; databases?: readonly string[] }[];
  /** One line for a person to read, now and then. */
  onProgress: (message: string) => void;
  /** Extra server settings. */
  settings?: Record<string, string>;
  /** Whether the data must survive a crash of the machine; tests say no. */
  durable?: boolean;
  /** The npm package with the programs; PostgreSQL 18 for this platform when left out. */
  binariesPackage?: string;
};

export type Cluster = {
  servers: ReadonlyMap<string, PostgresServer>;
  /** Key that encrypts connection URLs at rest, kept in the data folder. */
  secretKey: string;
  stop: () => Promise<void>;
};

/** Starts the servers, making those that are missing. On failure it throws one sentence and leaves none running. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { dataDir, onProgress } = options;
  openDataFolder(dataDir);
  await using rollback = new AsyncDisposableStack();
  rollback.defer(await lockDataFolder(dataDir));
  const found = await findBinaries(options.binariesPackage);
  const account = serverAccount();
  try {
    const binaries = reachableBinaries(found, join(dataDir, "bin"), account);
    const password = keptSecret(dataDir, "postgres-password");
    const secretKey = keptSecret(dataDir, "secret-key", "base64");
    const ports = await choosePorts(options);
    const servers = options.servers.map(
      ({ name, databases }) =>
        new PostgresServer({
          name,
          binaries,
          account,
          folder: join(dataDir, name),
          password,
          port: ports[name] ?? 0,
          ...(databases === undefined ? {} : { databases }),
          ...(options.settings === undefined ? {} : { settings: options.settings }),
        }),
    );
    await refuseOtherVersion(servers, dataDir);
    const missing = options.servers.filter((_, index) => servers[index]?.exists === false).map(({ name }) => name);
    if (missing.length > 0) onProgress(`Creating PostgreSQL servers: ${missing.join(", ")} …`);
    await settleAll(
      servers.filter((server) => !server.exists).map((server) => server.create({ durable: options.durable ?? true })),
    );
    onProgress(`Starting PostgreSQL servers: ${options.servers.map(({ name }) => name).join(", ")} …`);
    rollback.defer(async () => {
      await Promise.all(servers.map((server) => server.stop()));
    });
    await settleAll(servers.map((server) => server.start()));
    const running = rollback.move();
    return {
      servers: new Map(servers.map((server, index) => [options.servers[index]?.name ?? "", server])),
      secretKey,
      stop: () => running.disposeAsync(),
    };
  } catch (cause) {
    throw diskError(cause, dataDir);
  }
}

/** The ports of earlier runs; for new servers the preferred one or any that is free. */
async function choosePorts({ dataDir, servers }: ClusterOptions): Promise<Record<string, number>> {
  const manifest = readManifest(dataDir);
  const ports = { ...manifest.ports };
  for (const { name, preferredPort } of servers) {
    if (ports[name] !== undefined) continue;
    const preferred = preferredPort !== undefined && (await isPortFree(preferredPort));
    ports[name] = preferred ? preferredPort : await freePort();
  }
  writeManifest(dataDir, { ...manifest, ports });
  return ports;
}

async function refuseOtherVersion(servers: readonly PostgresServer[], dataDir: string): Promise<void> {
  const made = servers.find((server) => server.exists);
  if (made === undefined) return;
  const ours = String(await made.majorVersion());
  if (made.dataVersion !== ours)
    throw new TenantryError(
      "CONFLICT",
      `The data folder ${dataDir} was made by PostgreSQL ${made.dataVersion}, and this is ${ours}: start the Tenantry that made it, or set TENANTRY_DATA_DIR to a new folder.`,
    );
}

// All of them end before the first failure is thrown, so that nothing goes on behind the caller's back.
async function settleAll(tasks: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
