/**
 * Tenantry in a process of its own, to be killed. Prints `{"url":…}` when it runs, and its log.
 *
 * Usage: node test/support/tenantry-process.ts '<options of startApp as JSON>'
 */
import { startApp } from "../../src/main.ts";
import { type GivenSettings, testSettings } from "./settings.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as GivenSettings;
// Its end is also that of the test run that holds the other end of the pipe.
process.stdin.resume().on("end", () => process.exit(1));
const app = await startApp(testSettings(options));
process.stdout.write(`${JSON.stringify({ url: app.url ?? "" })}\n`);
process.on("SIGTERM", () => {
  void app.close().then(() => process.exit(0));
});
