/**
 * Measures what log lines and traces cost a request, in CPU time. The client runs in the thread that answers, so its time is in the
 * figure too. The rounds alternate between the ways. The log is thrown away. The collector runs in another thread and takes everything
 * at once.
 * `--requests=3000` of each way in a round, `--rounds=7`.
 */
import { Agent, request as send } from "node:http";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { readConfig } from "../src/config.ts";
import { type AppOptions, startApp } from "../src/main.ts";
import { report } from "./part.ts";
import { sql, startServers } from "./servers.ts";
import { median } from "./statistics.ts";
import { digits, table } from "./table.ts";

const { values: flags } = parseArgs({
  options: { requests: { type: "string", default: "3000" }, rounds: { type: "string", default: "7" } },
});
const REQUESTS = Number(flags.requests);
const ROUNDS = Number(flags.rounds);
const CONCURRENCY = 8;

const COLLECTOR = `
  const { createServer } = require("node:http");
  const { parentPort } = require("node:worker_threads");
  const server = createServer((request, response) => request.resume().on("end", () => response.writeHead(200).end()));
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
`;
const collector = new Worker(COLLECTOR, { eval: true });
const port = await new Promise<number>((resolve) => collector.once("message", resolve));
process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${port}`;

const servers = await startServers({ fsync: false, regions: 1 });
await sql(servers.home.url("postgres"), "create database bench_home");
const nowhere = { write: () => undefined };
const base: AppOptions = {
  ...readConfig({}),
  databaseUrl: servers.home.url("bench_home"),
  secretKey: servers.secretKey,
  role: "api",
  port: 0,
  logDestination: nowhere,
};
const traced = (environment: Record<string, string>) =>
  readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, ...environment }).traces;
const first = await startApp({ ...base, role: "all", gateway: { host: "127.0.0.1", port: 0 } });
const ways: Record<string, Partial<AppOptions>> = {
  "no lines, no traces": { logRequests: false },
  "a line for each request": {},
  "and all traces": { traces: traced({}) },
  "and 1 % of the traces": {
    traces: traced({ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.01" }),
  },
};
const apps = await Promise.all(
  Object.entries(ways).map(async ([way, options]) => ({ way, app: await startApp({ ...base, ...options }) })),
);
const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
const QUERIES = {
  "{ __typename }": "query Nothing { __typename }",
  "organizations with their members, from home":
    "query Some { organizations(first: 5) { edges { node { name members(first: 2) { edges { node { user { name } } } } } } } }",
};

function ask(url: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = send(`${url}/graphql`, { agent, method: "POST", headers: { "content-type": "application/json" } });
    asked.on("response", (answer) => answer.resume().on("end", resolve));
    asked.on("error", reject);
    asked.end(body);
  });
}

async function cpuOf(url: string, body: string): Promise<number> {
  const before = process.threadCpuUsage();
  let left = REQUESTS;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left > 0) {
        left -= 1;
        await ask(url, body);
      }
    }),
  );
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / REQUESTS;
}

const tables: string[] = [];
for (const [name, query] of Object.entries(QUERIES)) {
  const body = JSON.stringify({ query });
  const took = new Map(apps.map(({ way }) => [way, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round += 1)
    for (const { way, app } of apps) {
      const us = await cpuOf(app.url ?? "", body);
      // The first one warms up.
      if (round > 0) took.get(way)?.push(us);
    }
  const standard = median(took.get("no lines, no traces") ?? []);
  const rows = apps.map(({ way }) => {
    const us = median(took.get(way) ?? []);
    return [way, digits(us), digits(us - standard), (us / standard).toFixed(2)];
  });
  tables.push(`${name}:\n\n${table(["way", "µs of CPU per request", "more", "ratio"], rows)}`);
}
report({ title: "Log lines and traces", text: tables.join("\n\n"), bars: [] });
for (const { app } of apps) await app.close();
await first.close();
await servers.stop();
agent.destroy();
await collector.terminate();
