/**
 * A worker in a process of its own that stops at failpoints, told over its standard input: `arm <name>` makes it print
 * `at <name>` and wait there for `go on`. Prints `ready` when it runs; with the role `api` its `url <url>` before that.
 *
 * Usage: node test/support/worker-to-crash.ts '<options of startApp as JSON>'
 */
import { createInterface } from "node:readline";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { startApp } from "../../src/main.ts";
import { type GivenSettings, testSettings } from "./settings.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as GivenSettings;
let goOn = Promise.withResolvers<void>();
const say = (line: string) => process.stdout.write(`${line}\n`);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  if (line === "go on") goOn.resolve();
  const name = /^arm (.+)$/.exec(line)?.[1];
  if (name === undefined) return;
  goOn = Promise.withResolvers();
  const disarm = armFailpoint(name, async () => {
    disarm();
    say(`at ${name}`);
    await goOn.promise;
  });
  say(`armed ${name}`);
});
// Its end is also that of the test run that holds the other end of the pipe.
lines.on("close", () => process.exit(1));
const app = await startApp(testSettings({ role: "worker", ...options }));
if (app.url !== undefined) say(`url ${app.url}`);
say("ready");
process.on("SIGTERM", () => {
  void app.close().then(() => process.exit(0));
});
