import { readConfig } from "../src/config.ts";
import type { ReplicationOptions } from "../src/engine/links/replication-options.ts";
import { type App, type AppOptions, startApp } from "../src/main.ts";

/**
 * Starts a worker at its defaults in this process, or one that serves the API too. It says errors only, and takes ports that
 * are free.
 */
export function startWorker(
  connection: { databaseUrl: string; secretKey: string },
  replication: Partial<ReplicationOptions> = {},
  more: Partial<Pick<AppOptions, "role" | "gateway" | "tenantSchema" | "metricsListen">> = {},
): Promise<App> {
  return startApp({
    ...readConfig({}),
    ...connection,
    role: "worker",
    port: 0,
    gateway: { host: "127.0.0.1", port: 0 },
    logLevel: "error",
    replication,
    ...more,
  });
}
