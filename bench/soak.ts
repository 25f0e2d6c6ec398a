/**
 * Mixed load on one API process for some minutes: reads, writes, lists, bad queries, refused sign-ins, requests that their sender gives
 * up. Samples memory, the heap after a collection, open files and server connections, and says whether the last third is as the first. `--minutes=10`, `--write` puts
 * the result into RESULTS.md.
 */
import { readdirSync } from "node:fs";
import { parseArgs } from "node:util";
import { freePort } from "./api-process.ts";
import { startTenantry } from "./contestants.ts";
import { inspect } from "./heap.ts";
import type { Sent } from "./load.ts";
import { usage } from "./measure.ts";
import { report } from "./part.ts";
import { sql, startServers } from "./servers.ts";
import { median, shuffled } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import { startWorker } from "./worker.ts";
import { furnish } from "./workload.ts";

const { values: flags } = parseArgs({
  options: { minutes: { type: "string", default: "10" } },
});
const CALLERS = 16;
/** Between an answer and the next question of the same caller, so that the machine is not full. */
const PAUSE_MS = 20;
const SAMPLE_MS = 10_000;
const WARM_UP_MS = 30_000;
/** The last third's median may be above the first's by this much. */
const MOST_GROWTH = 1.1;

const LIST = `query List { resources(first: 20) { edges { node { id name comments(first: 3) { edges { node { body } } } } } } }`;
const BAD = [
  "query { nothing }",
  "query { resource(id: 5",
  'query { resource(id: "not an id") { id } }',
  "{ ".repeat(40),
];

type Kind = "read" | "write" | "list" | "bad query" | "refused sign-in" | "given up";
/** Of a hundred requests. */
const MIX: [Kind, number][] = [
  ["read", 60],
  ["write", 15],
  ["list", 10],
  ["bad query", 5],
  ["refused sign-in", 5],
  ["given up", 5],
];

type Sample = { memory: number; heap: number; files: number; connections: number };

const servers = await startServers({ fsync: false });
await sql(servers.home.url("postgres"), "create database bench_home");
const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
const worker = await startWorker(connection);
const { targets } = await furnish(worker.services, {
  homeUrl: connection.databaseUrl,
  regionUrl: (name) => servers.region.url(name),
});
const chosen = shuffled(targets, 11).slice(0, 2_000);
const inspectorPort = await freePort();
const api = await startTenantry(connection, {
  variables: { NODE_OPTIONS: `--inspect=127.0.0.1:${inspectorPort}` },
});
const heap = await inspect(inspectorPort);
const [port, pid] = [api.ports[0] ?? 0, api.pids[0] ?? 0];

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const deck = shuffled(
  MIX.flatMap(([kind, share]) => Array.from({ length: share }, () => kind)),
  13,
);
const counts = new Map<string, number>();
let turn = 0;

async function send({ path, headers, body }: Sent, signal?: AbortSignal): Promise<{ status: number; answer: string }> {
  const init = { method: "POST", headers, body, ...(signal === undefined ? {} : { signal }) };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return { status: response.status, answer: await response.text() };
}

/** One request; the outcome as it is counted. */
async function ask(kind: Kind, number: number): Promise<string> {
  const target = chosen[number % chosen.length];
  if (target === undefined) throw new Error("there is nothing to ask for");
  const read = api.read(target);
  const as = (query: string): Sent => ({ ...read, body: JSON.stringify({ query }) });
  const outcome = ({ status, answer }: { status: number; answer: string }) => {
    const code = /"errors".*?"code":"(\w+)"/s.exec(answer)?.[1];
    return `${kind}: ${status}${code === undefined ? "" : ` ${code}`}`;
  };
  switch (kind) {
    case "read":
      return outcome(await send(read));
    case "write":
      return outcome(await send(api.write(target)));
    case "list":
      return outcome(await send(as(LIST)));
    case "bad query":
      return outcome(await send(as(BAD[number % BAD.length] ?? "")));
    case "refused sign-in":
      return outcome(await send({ ...read, headers: { ...read.headers, authorization: `Bearer wrong-${number}` } }));
    case "given up":
      return send(number % 2 === 0 ? read : as(LIST), AbortSignal.timeout(1 + (number % 5)))
        .then(() => `${kind}: answered before`)
        .catch(() => `${kind}: ended`);
    default:
      throw new Error(`${String(kind satisfies never)} is nothing that is asked for`);
  }
}

async function sample(): Promise<Sample> {
  const counted = await Promise.all(
    [servers.home, servers.region].map((server) =>
      sql<{ n: number }>(
        server.url("postgres"),
        "select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      ),
    ),
  );
  return {
    // Before the collection, which gives memory back.
    memory: usage([pid]).memory / 2 ** 20,
    heap: (await heap.usedBytes()) / 2 ** 20,
    files: readdirSync(`/proc/${pid}/fd`).length,
    connections: counted.reduce((sum, [row]) => sum + (row?.n ?? 0), 0),
  };
}

try {
  const started = performance.now();
  const until = started + Number(flags.minutes) * 60_000;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (performance.now() < until) {
      const number = turn;
      turn += 1;
      const outcome = await ask(deck[number % deck.length] ?? "read", number);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      await pause(PAUSE_MS);
    }
  });
  const samples: Sample[] = [];
  await pause(Math.min(WARM_UP_MS, until - started));
  while (performance.now() + SAMPLE_MS < until) {
    samples.push(await sample());
    process.stderr.write(
      `${Object.values(samples.at(-1) ?? {})
        .map(digits)
        .join(" ")}\n`,
    );
    await pause(SAMPLE_MS);
  }
  await Promise.all(callers);
  const seconds = (performance.now() - started) / 1_000;
  const third = Math.max(1, Math.floor(samples.length / 3));
  const [first, last] = [samples.slice(0, third), samples.slice(-third)];
  const figures: [keyof Sample, string][] = [
    ["memory", "resident memory, MB"],
    ["heap", "heap after a collection, MB"],
    ["files", "open files and sockets"],
    ["connections", "connections at both servers, the worker's too"],
  ];
  const growing: string[] = [];
  const rows = figures.map(([figure, name]) => {
    const [before, after] = [median(first.map((one) => one[figure])), median(last.map((one) => one[figure]))];
    const isFlat = after <= before * MOST_GROWTH;
    if (!isFlat) growing.push(name);
    return [
      name,
      digits(before),
      digits(after),
      ratio(after, before),
      digits(Math.max(...samples.map((one) => one[figure]))),
      isFlat ? "flat" : "**grows**",
    ];
  });
  const outcomes = [...counts].toSorted(([a], [b]) => a.localeCompare(b)).map(([outcome, count]) => [outcome, count]);
  const failures = [...counts.keys()].filter((outcome) => /: 5\d\d|^(read|write|list): (?!200$)/.test(outcome));
  const text = [
    `${(seconds / 60).toFixed(1)} minutes, ${turn} requests of ${CALLERS} callers`,
    table(["median of", "first third", "last third", "ratio", "most", ""], rows),
    table(["outcome", "requests"], outcomes),
    `Verdict: ${growing.length === 0 ? "flat" : `**${growing.join(", ")} grow**`}; ${
      failures.length === 0 ? "no request failed that should not have" : `**failed: ${failures.join(", ")}**`
    }.`,
  ].join("\n\n");
  const memory = figures.findIndex(([figure]) => figure === "memory");
  report({
    title: "A soak",
    text,
    bars: [
      {
        what: "memory in the last third of a soak, to the first",
        measured: Number.parseFloat(String(rows[memory]?.[3])),
        most: MOST_GROWTH,
      },
      { what: "requests of a soak that failed and should not have", measured: failures.length, unit: "", most: 0 },
    ],
  });
  // Among other measurements it is one that misses a bar.
  if (growing.length + failures.length > 0 && process.env["BENCH_OUT"] === undefined) process.exitCode = 1;
} finally {
  heap.close();
  await api.stop();
  await worker.close();
  await servers.stop();
}
