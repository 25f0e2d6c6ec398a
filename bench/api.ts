/**
 * Reads and writes over HTTP at 32 connections, beside a bare `node:http` + driver server that does the same work, interleaved
 * in one run: rounds in alternating order, medians, ratios to the bare server. `--rounds=3`, `--seconds=8` for each phase.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { startApp } from "../src/main.ts";
import { ended, startApiProcess } from "./api-process.ts";
import type { LoadOrder, LoadResult, Sent } from "./load.ts";
import { describeMachine } from "./machine.ts";
import { sql, startServers } from "./servers.ts";
import { median, percentile, shuffled } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import { furnish, type Target } from "./workload.ts";

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, seconds: { type: "string", default: "8" } },
});
const CONNECTIONS = 32;
const READ_IDS = 2_000;
const READ = `query Read($id: ID!) { resource(id: $id) { id name createdAt organization { id name } region { key }
  comments(first: 20) { edges { cursor node { id body createdAt author { id name } } } pageInfo { hasNextPage endCursor } } } }`;
const WRITE =
  "mutation Write($input: CreateCommentInput!) { createComment(input: $input) { id body createdAt author { id name } } }";
const BODY =
  "A note about what was seen today, which is as long as the others are, so that it is comparable with them.";
const CLOCK_TICKS_PER_SECOND = 100;

type Contestant = {
  name: string;
  port: number;
  child: ChildProcess;
  read: (target: Target) => Sent;
  write: (target: Target) => Sent;
};

const JSON_HEADERS = { "content-type": "application/json" };

async function startBare(tenantUrl: string): Promise<Contestant> {
  const child = spawn(process.execPath, ["bench/contestants/bare.ts", tenantUrl, "bench", "4"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.stdout === null) throw new Error("the bare server has no output");
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const sent = (body: object): Sent => ({ path: "/", headers: JSON_HEADERS, body: JSON.stringify(body) });
  return {
    name: "bare node:http + pg",
    port: Number(line),
    child,
    read: ({ resourceId }) => sent({ id: resourceId }),
    write: ({ resourceId, authorId }) => sent({ resourceId, authorId, body: BODY }),
  };
}

async function startOurs(connection: { databaseUrl: string; secretKey: string }): Promise<Contestant> {
  const { port, child } = await startApiProcess(connection, {
    // On, and out of reach: the limits are part of the work, refusals are not.
    TENANTRY_ACTOR_POINTS_PER_SECOND: "100000000",
    TENANTRY_ORGANIZATION_POINTS_PER_SECOND: "100000000",
    TENANTRY_ACTOR_CONCURRENCY: "64",
    TENANTRY_ORGANIZATION_CONCURRENCY: "64",
  });
  const sent = (key: string, body: object): Sent => ({
    path: "/graphql",
    headers: { ...JSON_HEADERS, authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  });
  return {
    name: "Tenantry",
    port,
    child,
    read: ({ resourceId, key }) => sent(key, { query: READ, variables: { id: resourceId } }),
    write: ({ resourceId, authorId, key }) =>
      sent(key, { query: WRITE, variables: { input: { resourceId, authorId, body: BODY } } }),
  };
}

/** CPU-seconds and resident bytes of a process. */
function usage({ pid }: ChildProcess): { cpu: number; memory: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  const pages = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND, memory: Number(pages) * 4_096 };
}

type Measured = { perSecond: number; p50: number; p99: number; cpuMs: number; memory: number; bytes: number };

async function measure(contestant: Contestant, requests: Sent[], seconds: number): Promise<Measured> {
  const order: LoadOrder = { port: contestant.port, connections: CONNECTIONS, seconds, requests };
  const before = usage(contestant.child);
  const load = spawn(process.execPath, ["bench/load.ts"], { stdio: ["pipe", "pipe", "inherit"] });
  load.stdin?.end(JSON.stringify(order));
  if (load.stdout === null) throw new Error("the load has no output");
  const result = JSON.parse(await text(load.stdout)) as LoadResult;
  if (result.failed > 0) throw new Error(`${contestant.name}: ${result.failed} of ${result.answered} answers failed`);
  const after = usage(contestant.child);
  return {
    perSecond: result.answered / result.seconds,
    p50: percentile(result.latencies, 0.5),
    p99: percentile(result.latencies, 0.99),
    cpuMs: ((after.cpu - before.cpu) * 1_000) / result.answered,
    memory: after.memory,
    bytes: result.bytes / result.answered,
  };
}

const servers = await startServers({ fsync: false });
await sql(servers.home.url("postgres"), "create database bench_home");
const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
const worker = await startApp({
  ...connection,
  role: "worker",
  host: "127.0.0.1",
  port: 0,
  logLevel: "error",
  prettyLogs: false,
});
const contestants: Contestant[] = [];
try {
  const { targets, database } = await furnish(worker.services, {
    homeUrl: connection.databaseUrl,
    regionUrl: (name) => servers.region.url(name),
  });
  contestants.push(await startBare(servers.region.url(database)), await startOurs(connection));
  const chosen = shuffled(targets, 7).slice(0, READ_IDS);
  const seconds = Number(flags.seconds);
  const results = new Map<string, Measured[]>();
  for (const kind of ["read", "write"] as const)
    for (let round = -1; round < Number(flags.rounds); round += 1)
      for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
        const measured = await measure(contestant, chosen.map(contestant[kind]), round < 0 ? 3 : seconds);
        // The first round warms up.
        if (round < 0) continue;
        const key = `${kind} ${contestant.name}`;
        results.set(key, [...(results.get(key) ?? []), measured]);
      }
  const middle = (key: string, pick: (one: Measured) => number) => median((results.get(key) ?? []).map(pick));
  const rows = [...results.keys()].map((key) => {
    const bare = `${key.split(" ")[0]} ${contestants[0]?.name}`;
    const perSecond = middle(key, (one) => one.perSecond);
    const p99 = middle(key, (one) => one.p99);
    const cpu = middle(key, (one) => one.cpuMs);
    return [
      key,
      digits(perSecond),
      ratio(
        perSecond,
        middle(bare, (one) => one.perSecond),
      ),
      digits(middle(key, (one) => one.p50)),
      digits(p99),
      ratio(
        p99,
        middle(bare, (one) => one.p99),
      ),
      digits(cpu),
      ratio(
        cpu,
        middle(bare, (one) => one.cpuMs),
      ),
      digits(middle(key, (one) => one.memory) / 2 ** 20),
      digits(middle(key, (one) => one.bytes) / 1_024),
    ];
  });
  process.stdout.write(
    `${describeMachine("18.4")}; ${CONNECTIONS} connections, ${flags.rounds} rounds of ${flags.seconds} s\n\n${table(
      ["", "per s", "ratio", "p50 ms", "p99 ms", "ratio", "CPU ms", "ratio", "MB", "KB each"],
      rows,
    )}\n`,
  );
} finally {
  for (const { child } of contestants) await ended(child);
  await worker.close();
  await servers.stop();
}
