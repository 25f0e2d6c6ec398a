/**
 * Tenantry in a process of its own, to be killed. Prints its URL when it runs.
 *
 * Usage: node test/support/tenantry-process.ts '<options of startApp as JSON>'
 */
import { type AppOptions, startApp } from "../../src/main.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as Partial<AppOptions>;
const app = await startApp({
  databaseUrl: "",
  secretKey: "",
  role: "all",
  host: "127.0.0.1",
  port: 0,
  logLevel: "silent",
  prettyLogs: false,
  ...options,
});
process.stdout.write(`${JSON.stringify({ url: app.url ?? "" })}\n`);
process.on("SIGTERM", () => {
  void app.close().then(() => process.exit(0));
});
