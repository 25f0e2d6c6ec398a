/**
 * A process that starts one embedded server, `home`, and then waits to be killed. It prints the server's process id and
 * URL, or the sentence that ended it.
 *
 * Usage: node test/support/cluster-process.ts <data folder>
 */
import { startCluster } from "../../src/embedded/cluster.ts";

const [dataDir = ""] = process.argv.slice(2);
// As the real one, which first drains the API.
process.on("SIGINT", () => undefined);

try {
  const cluster = await startCluster({
    dataDir,
    servers: [{ name: "home", preferredPort: undefined }],
    onProgress: () => undefined,
    durable: false,
  });
  const home = cluster.servers.get("home");
  process.stdout.write(`${JSON.stringify({ pid: home?.pid, url: home?.url("postgres") })}\n`);
  process.stdin.resume();
} catch (error) {
  process.stdout.write(`${JSON.stringify({ refused: error instanceof Error ? error.message : String(error) })}\n`);
}
