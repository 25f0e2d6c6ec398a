/**
 * What a noisy organization does to a quiet one on the same API process: the latency of the quiet one alone, beside the
 * noisy one with limits off, and with the default limits. The noisy one has three keys with 32 connections each and asks for
 * the largest lists that one operation may have, again at once, or after the seconds that it is told (`obeying`).
 * `--rounds=3`, `--seconds=6` for each phase of a round.
 */
import { parseArgs } from "node:util";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createApiKey } from "../src/engine/auth/api-keys.ts";
import { addMember } from "../src/engine/home/memberships.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { createUser } from "../src/engine/home/users.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import { type ApiProcess, startApiProcess } from "./api-process.ts";
import { report } from "./part.ts";
import { sql, startServers } from "./servers.ts";
import { percentile } from "./statistics.ts";
import { digits, ratio, table } from "./table.ts";
import { startWorker } from "./worker.ts";

const { values: flags } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, seconds: { type: "string", default: "6" } },
});
const PHASE_MS = Number(flags.seconds) * 1_000;
const NOISY_CONNECTIONS = 96;
const NOISY =
  "{ resources(first: 100) { edges { node { name comments(first: 20) { edges { node { body author { name } } } } } } } }";
const QUIET = "{ resources(first: 5) { edges { node { name comments(first: 5) { edges { node { body } } } } } } }";
const OFF = {
  TENANTRY_ACTOR_POINTS_PER_SECOND: "0",
  TENANTRY_ORGANIZATION_POINTS_PER_SECOND: "0",
  TENANTRY_ACTOR_CONCURRENCY: "0",
  TENANTRY_ORGANIZATION_CONCURRENCY: "0",
  TENANTRY_STATEMENT_CONCURRENCY: "0",
};

const servers = await startServers({ fsync: false });
await sql(servers.home.url("postgres"), "create database bench_home");
const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
const worker = await startWorker(connection, {}, { role: "all" });
const { services } = worker;

/** Sends a mutation as the operator, and returns the id of what it has made. */
async function write(mutation: "createResource" | "createComment", input: object): Promise<string> {
  const type = mutation === "createResource" ? "CreateResourceInput" : "CreateCommentInput";
  const query = `mutation ($input: ${type}!) { it: ${mutation}(input: $input) { id } }`;
  const response = await fetch(`${worker.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data } = (await response.json()) as { data?: { it: { id: string } } };
  if (data === undefined) throw new Error(`${mutation} was refused`);
  return data.it.id;
}

/** An organization with resources and comments in the region, and its keys. */
async function furnish(name: string, resources: number, comments: number, keys: number): Promise<string[]> {
  const { id: organizationId } = await createOrganization(services, OPERATOR, { name });
  const author = await createUser(services, OPERATOR, { name, email: `${name}@example.com` });
  await addMember(services, OPERATOR, { organizationId, userId: author.id, role: "MEMBER" });
  const placement = await grantRegionAccess(services, OPERATOR, {
    organizationId,
    regionKey: "bench",
    isolation: "DEDICATED",
  });
  if (placement.state !== "ACTIVE") throw new Error(`the placement is ${placement.state}`);
  for (let one = 0; one < resources; one += 1) {
    const resourceId = await write("createResource", { name: `${name} ${one}`, organizationId, regionKey: "bench" });
    for (let other = 0; other < comments; other += 1)
      await write("createComment", { resourceId, body: "A note", authorId: author.id });
  }
  const made = Array.from({ length: keys }, () =>
    createApiKey(services, OPERATOR, { name, organizationId, role: "MEMBER", expiresInDays: 1 }),
  );
  return (await Promise.all(made)).map(({ secret }) => secret);
}

async function ask(url: string, key: string, query: string): Promise<{ status: number; retryAfterMs: number }> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify({ query }),
  });
  await response.arrayBuffer();
  return { status: response.status, retryAfterMs: Number(response.headers.get("retry-after") ?? 0) * 1_000 };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

type Phase = { latencies: number[]; quietFailures: number; noisyAnswered: number; noisyRefused: number };

async function runPhase(api: ApiProcess, quietKey: string, noisyKeys: string[], obeying: boolean): Promise<Phase> {
  const phase: Phase = { latencies: [], quietFailures: 0, noisyAnswered: 0, noisyRefused: 0 };
  const until = performance.now() + PHASE_MS;
  const noisy = Array.from({ length: noisyKeys.length === 0 ? 0 : NOISY_CONNECTIONS }, async (_, n) => {
    while (performance.now() < until) {
      const { status, retryAfterMs } = await ask(api.url, noisyKeys[n % noisyKeys.length] ?? "", NOISY);
      if (status === 200) phase.noisyAnswered += 1;
      else phase.noisyRefused += 1;
      if (obeying && retryAfterMs > 0) await pause(Math.max(1, Math.min(retryAfterMs, until - performance.now())));
    }
  });
  // The first second belongs to the noisy one: its buckets are full then.
  await pause(1_000);
  while (performance.now() < until) {
    const started = performance.now();
    const { status } = await ask(api.url, quietKey, QUIET);
    phase.latencies.push(performance.now() - started);
    if (status !== 200) phase.quietFailures += 1;
    await pause(20);
  }
  await Promise.all(noisy);
  return phase;
}

const PHASES = [
  "alone",
  "beside it, limits off",
  "beside it, default limits",
  "beside it, default limits, obeying",
] as const;

try {
  await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl: servers.region.url() });
  const [quietKey = ""] = await furnish("quiet", 5, 5, 1);
  const noisyKeys = await furnish("noisy", 100, 10, 3);
  const [off, on] = [await startApiProcess(connection, OFF), await startApiProcess(connection, {})];
  const sums = new Map<string, Phase>();
  for (let round = 0; round < Number(flags.rounds); round += 1) {
    for (const name of PHASES) {
      const isAlone = name === "alone";
      const phase = await runPhase(
        name.endsWith("off") ? off : on,
        quietKey,
        isAlone ? [] : noisyKeys,
        name.endsWith("obeying"),
      );
      const sum = sums.get(name) ?? { latencies: [], quietFailures: 0, noisyAnswered: 0, noisyRefused: 0 };
      sum.latencies.push(...phase.latencies);
      sum.quietFailures += phase.quietFailures;
      sum.noisyAnswered += phase.noisyAnswered;
      sum.noisyRefused += phase.noisyRefused;
      sums.set(name, sum);
    }
  }
  const alone = sums.get("alone")?.latencies ?? [];
  const rows = [...sums].map(([name, { latencies, quietFailures, noisyAnswered, noisyRefused }]) => [
    name,
    latencies.length,
    digits(percentile(latencies, 0.5)),
    ratio(percentile(latencies, 0.5), percentile(alone, 0.5)),
    digits(percentile(latencies, 0.99)),
    ratio(percentile(latencies, 0.99), percentile(alone, 0.99)),
    quietFailures,
    noisyAnswered,
    noisyRefused,
  ]);
  const head = [
    "the quiet one",
    "asked",
    "p50 ms",
    "to alone",
    "p99 ms",
    "to alone",
    "failed",
    "noisy: answered",
    "refused",
  ];
  const beside = [...sums].filter(([name]) => name !== "alone");
  report({
    title: "A noisy neighbour",
    text: table(head, rows),
    bars: beside.map(([name, { latencies }]) => ({
      what: `a quiet organization's p50, ${name}, to alone`,
      measured: percentile(latencies, 0.5) / percentile(alone, 0.5),
      open: true,
    })),
  });
  await off.stop();
  await on.stop();
} finally {
  await worker.close();
  await servers.stop();
}
