/** The embedded servers together: home and two regions, in one data folder that survives restarts. */
import { realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { serverAccount } from "#embedded/account";
import { findBinaries } from "#embedded/binaries";
import { diskError, keptSecret, openDataFolder, readManifest, writeManifest } from "#embedded/data-folder";
import { lockDataFolder } from "#embedded/data-folder-lock";
import { choosePorts } from "#embedded/ports";
import { PostgresServer } from "#embedded/postgres-server";
import { TenantryError } from "#base/kernel/errors";

export type ClusterOptions = {
  dataDir: string;
  /** `name` is also the name of the server's folder. The port wished for counts when the server is made. */
  servers: readonly { name: string; preferredPort: number | undefined; databases?: readonly string[] }[];
  /** One line for a person to read, now and then. */
  onProgress: (message: string) => void;
  /** Extra server settings. */
  settings?: Record<string, string>;
  /** Whether the data must survive a crash of the machine; tests say no. */
  durable?: boolean;
  /** The npm package with the programs; PostgreSQL 18 for this platform when left out. */
  binariesPackage?: string;
  /** Ends the start: everything is taken down again and its reason is thrown. */
  signal?: AbortSignal;
};

export type Cluster = {
  servers: ReadonlyMap<string, PostgresServer>;
  /** Key that encrypts connection URLs at rest, kept in the data folder. */
  secretKey: string;
  /** Stops all servers at the same time and leaves no process of them. */
  stop: () => Promise<void>;
};

/**
 * Starts the servers, making those that are missing. On failure it throws one sentence and leaves none running. One
 * process at a time may have a data folder; postmasters of one that was killed are stopped and started again.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = resolve(options.dataDir);
  const names = options.servers.map(({ name }) => name);
  try {
    const account = serverAccount(names.map((name) => join(dataDir, name)));
    openDataFolder(dataDir, account);
    await using rollback = new AsyncDisposableStack();
    rollback.defer(await lockDataFolder(dataDir));
    const servers = await prepareServers(options, dataDir, account);
    rollback.defer(async () => {
      await awaitAll([...servers.values()].map((server) => server.stop()));
    });
    await createMissing(servers, options);
    options.onProgress(`Starting the PostgreSQL server${names.length === 1 ? "" : "s"} ${names.join(", ")} …`);
    await awaitAll([...servers.values()].map((server) => server.start({ signal: options.signal })));
    const secretKey = keptSecret(dataDir, "secret-key", "base64");
    const running = rollback.move();
    return { servers, secretKey, stop: () => running.disposeAsync() };
  } catch (cause) {
    throw diskError(cause, dataDir);
  }
}

/** The servers, not yet made or started. Nothing in the folder is changed when it is another version's. */
async function prepareServers(
  { servers, settings, binariesPackage, onProgress }: ClusterOptions,
  dataDir: string,
  account: ReturnType<typeof serverAccount>,
): Promise<Map<string, PostgresServer>> {
  const binaries = await findBinaries({ packageName: binariesPackage, account, copies: join(dataDir, "bin") });
  const folder = realpathSync(dataDir);
  const make = (spec: (typeof servers)[number], port: number, password: string) =>
    new PostgresServer({
      name: spec.name,
      binaries,
      account,
      folder: join(folder, spec.name),
      password,
      port,
      onProgress,
      ...(spec.databases === undefined ? {} : { databases: spec.databases }),
      ...(settings === undefined ? {} : { settings }),
    });
  refuseOtherVersion(
    servers.map((spec) => make(spec, 0, "")),
    binaries.majorVersion,
    dataDir,
  );
  const ports = await keptPorts(dataDir, servers);
  const password = keptSecret(dataDir, "postgres-password");
  return new Map(servers.map((spec) => [spec.name, make(spec, ports[spec.name] ?? 0, password)]));
}

/** The ports of earlier runs, which registered regions' URLs contain; new servers get one and keep it. */
async function keptPorts(dataDir: string, servers: ClusterOptions["servers"]): Promise<Record<string, number>> {
  const manifest = readManifest(dataDir);
  const added = servers.filter(({ name }) => manifest.ports[name] === undefined);
  if (added.length === 0) return manifest.ports;
  const chosen = await choosePorts(
    added.map(({ preferredPort }) => preferredPort),
    new Set(Object.values(manifest.ports)),
  );
  const ports = { ...manifest.ports };
  for (const [index, { name }] of added.entries()) ports[name] = chosen[index] ?? 0;
  writeManifest(dataDir, { ...manifest, ports });
  return ports;
}

function refuseOtherVersion(servers: readonly PostgresServer[], ours: number, dataDir: string): void {
  const other = servers.find((server) => server.exists && server.dataVersion !== ours);
  if (other === undefined) return;
  throw new TenantryError(
    "CONFLICT",
    `The data folder ${dataDir} was made by PostgreSQL ${other.dataVersion}, and this is PostgreSQL ${ours}: start the Tenantry that made it, or set TENANTRY_DATA_DIR to a new folder.`,
  );
}

async function createMissing(
  servers: ReadonlyMap<string, PostgresServer>,
  { durable = true, signal, onProgress }: ClusterOptions,
): Promise<void> {
  const missing = [...servers].filter(([, server]) => !server.exists);
  for (const [name] of missing) onProgress(`Creating the PostgreSQL server ${name} …`);
  await awaitAll(missing.map(([, server]) => server.create({ durable, signal })));
}

// All of them end before the first failure is thrown, so that nothing goes on behind the caller's back.
async function awaitAll(tasks: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
