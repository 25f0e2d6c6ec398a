/**
 * Moves of an organization between two regions while 16 callers read and write: how long writes are held, and what the callers
 * notice. `--moves=30`: back and forth; `--mb=5`: what the organization has; `--round-trip-ms=0,150`: how far one of the regions is
 * from everything else, once for each; `--neighbours=200`: organizations in the shared database that the last move goes out of;
 * `--no-fsync`.
 */
import { parseArgs } from "node:util";
import { waitFor } from "../src/base/kernel/wait.ts";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import { createApiKey } from "../src/engine/auth/api-keys.ts";
import { createOrganization } from "../src/engine/home/organizations.ts";
import { createUser } from "../src/engine/home/users.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { type ApiProcess, freePort, startApiProcess } from "./api-process.ts";
import type { Bar } from "./bars.ts";
import { startFarWay } from "./far.ts";
import { report } from "./part.ts";
import { connected, sql, startServers } from "./servers.ts";
import { percentile } from "./statistics.ts";
import { digits, table } from "./table.ts";
import { startWorker } from "./worker.ts";

const { values: flags } = parseArgs({
  options: {
    moves: { type: "string", default: "30" },
    mb: { type: "string", default: "5" },
    callers: { type: "string", default: "16" },
    neighbours: { type: "string", default: "200" },
    "round-trip-ms": { type: "string", default: "0,150" },
    fsync: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const MB = 1024 * 1024;
const BODY_BYTES = 1_000;
const BEFORE_MS = 5_000;
/** Limits are measured elsewhere. */
const OFF = {
  TENANTRY_ACTOR_POINTS_PER_SECOND: "0",
  TENANTRY_ORGANIZATION_POINTS_PER_SECOND: "0",
  TENANTRY_ACTOR_CONCURRENCY: "0",
  TENANTRY_ORGANIZATION_CONCURRENCY: "0",
  TENANTRY_STATEMENT_CONCURRENCY: "0",
};
const [NEAR, FAR] = ["near", "far"] as const;

type Caller = { url: string; key: string };

/** What mutations of this bench answer, under the name `it`. */
type Made = { it: { id: string; database?: string } };

async function ask(caller: Caller, query: string, variables: object = {}): Promise<Made> {
  const response = await fetch(`${caller.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${caller.key}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Made; errors?: { message: string }[] };
  if (data === undefined || errors !== undefined) throw new Error(errors?.[0]?.message);
  return data;
}

const READ = "query ($id: ID!) { it: resource(id: $id) { id name comments(first: 20) { edges { node { body } } } } }";
const WRITE = "mutation ($input: CreateCommentInput!) { it: createComment(input: $input) { id } }";
const MOVE = "mutation ($input: MovePlacementInput!) { it: movePlacement(input: $input) { id state } }";

/** Half of them read, half write, each again at once. */
class Callers {
  #isOver = false;
  #latencies: { reads: number[]; writes: number[] } = { reads: [], writes: [] };
  #failed = 0;
  readonly #running: Promise<unknown>;

  constructor(caller: Caller, resourceId: string, authorId: string) {
    const one = async (isWriter: boolean) => {
      while (!this.#isOver) {
        const began = performance.now();
        const asked = isWriter
          ? ask(caller, WRITE, { input: { resourceId, authorId, body: "While it moves" } })
          : ask(caller, READ, { id: resourceId });
        await asked.catch(() => (this.#failed += 1));
        this.#latencies[isWriter ? "writes" : "reads"].push(performance.now() - began);
      }
    };
    this.#running = Promise.all(Array.from({ length: Number(flags.callers) }, (_, index) => one(index % 2 === 0)));
  }

  /** What was measured since this was last asked. */
  take(): { reads: number[]; writes: number[]; failed: number } {
    const taken = { ...this.#latencies, failed: this.#failed };
    this.#latencies = { reads: [], writes: [] };
    this.#failed = 0;
    return taken;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

type World = {
  home: string;
  secretKey: string;
  api: ApiProcess;
  caller: Caller;
  author: string;
  /** The superuser's URL of each region's server. */
  servers: Record<string, (database: string) => string>;
  stop: () => Promise<void>;
};

async function makeWorld(roundTripMs: number): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const all = await startServers({ fsync: flags.fsync, regions: 2 });
  stack.defer(() => all.stop());
  await sql(all.home.url("postgres"), "create database bench_home");
  const home = all.home.url("bench_home");
  const connection = { databaseUrl: home, secretKey: all.secretKey };
  const gatewayPort = await freePort();
  const [near, far] = all.regions;
  if (near === undefined || far === undefined) throw new Error("two regions are needed");
  // The far server, and its way to the gateway.
  const ways = await Promise.all(
    [Number(new URL(far.url()).port), gatewayPort].map((port) => startFarWay(port, () => roundTripMs)),
  );
  for (const way of ways) stack.defer(() => way.stop());
  const farUrl = new URL(far.url());
  farUrl.port = String(ways[0]?.port);
  const api = await startApiProcess(connection, {
    ...OFF,
    TENANTRY_ROLE: "all",
    TENANTRY_GATEWAY_LISTEN: `127.0.0.1:${gatewayPort}`,
    TENANTRY_GATEWAY_ADDRESS: `127.0.0.1:${ways[1]?.port}`,
    TENANTRY_GATEWAY_HOME_ADDRESS: `127.0.0.1:${gatewayPort}`,
  });
  stack.defer(() => api.stop());
  const made = await startWorker(connection, {}, { role: "api" });
  const { services } = made;
  await registerRegion(services, OPERATOR, { key: NEAR, name: NEAR, connectionUrl: near.url() });
  await registerRegion(services, OPERATOR, { key: FAR, name: FAR, connectionUrl: farUrl.href.replace(/\/$/, "") });
  const { secret } = await createApiKey(services, OPERATOR, {
    name: "Bench",
    organizationId: null,
    role: null,
    expiresInDays: 1,
  });
  const { id: author } = await createUser(services, OPERATOR, { name: "Ada", email: "ada@example.com" });
  await made.close();
  const caller = { url: api.url, key: secret };
  const kept = stack.move();
  return {
    home,
    secretKey: all.secretKey,
    api,
    caller,
    author,
    servers: { [NEAR]: near.url, [FAR]: far.url },
    stop: () => kept.disposeAsync(),
  };
}

type Placed = { placementId: string; organizationId: string; resourceId: string };

/** An organization with so many megabytes of comments. */
async function place(world: World, isolation: "DEDICATED" | "SHARED", megabytes: number): Promise<Placed> {
  const { caller, author } = world;
  const organization = await ask(caller, 'mutation { it: createOrganization(input: { name: "Moving" }) { id } }');
  const organizationId = organization.it.id;
  await ask(
    caller,
    "mutation ($input: AddOrganizationMemberInput!) { it: addOrganizationMember(input: $input) { id: role } }",
    { input: { organizationId, userId: author, role: "MEMBER" } },
  );
  const { it: granted } = await ask(
    caller,
    "mutation ($input: GrantRegionAccessInput!) { it: grantRegionAccess(input: $input) { id database } }",
    { input: { organizationId, regionKey: NEAR, isolation } },
  );
  const made = await ask(
    caller,
    "mutation ($input: CreateResourceInput!) { it: createResource(input: $input) { id } }",
    { input: { name: "Moving", organizationId } },
  );
  const resourceId = made.it.id;
  const [placement] = await sql<{ number: number }>(
    world.home,
    "select number from tenantry.placements where id = $1",
    [granted.id],
  );
  await connected(world.servers[NEAR]?.(granted.database ?? "") ?? "", async (client) => {
    await client.query("select set_config('tenantry.scope', $1, false)", [`${organizationId}/${placement?.number}`]);
    await client.query(
      `insert into app.comments (resource_id, author_id, body)
       select $1, $2, repeat(md5(i::text), $3) from generate_series(1, $4) i`,
      [resourceId, author, Math.ceil(BODY_BYTES / 32), Math.round((megabytes * MB) / BODY_BYTES)],
    );
  });
  return { placementId: granted.id, organizationId, resourceId };
}

/** Moves it, and waits until it is there and nothing is left. Returns how long it took, and how long writes were held. */
async function move({ caller, home }: World, { placementId }: Placed, to: { regionKey?: string; isolation?: string }) {
  const began = performance.now();
  await ask(caller, MOVE, { input: { placementId, ...to } });
  const held = await waitFor(
    async () => {
      const [row] = await sql<{ ms: number; error: string | null; state: string }>(
        home,
        `select (result ->> 'heldWritesMs')::float8 as ms, last_error as error, state from tenantry.jobs
         where kind = 'move-placement' and placement_id = $1 order by id desc limit 1`,
        [placementId],
      );
      if (row?.state === "FAILED") throw new Error(row.error ?? "the move failed");
      return row?.state === "DONE" ? row.ms : undefined;
    },
    { timeoutMs: 600_000, pauseMs: 50 },
  );
  if (held === undefined) throw new Error("the move did not end");
  return { seconds: (performance.now() - began) / 1_000, heldMs: held };
}

const cells = (values: readonly number[]) => [0.5, 0.95, 0.99, 1].map((share) => digits(percentile(values, share)));

async function measureHolds(roundTripMs: number): Promise<{ rows: string[][]; bars: Bar[] }> {
  const world = await makeWorld(roundTripMs);
  try {
    const placed = await place(world, "DEDICATED", Number(flags.mb));
    const callers = new Callers(world.caller, placed.resourceId, world.author);
    await new Promise((resolve) => setTimeout(resolve, BEFORE_MS));
    const before = callers.take();
    const held: number[] = [];
    // Where the region is far, calls to it take longer, so only those to the near one are compared.
    const during = { reads: [] as number[], writes: [] as number[], failed: 0 };
    for (let turn = 0; turn < Number(flags.moves); turn += 1) {
      callers.take();
      const { heldMs } = await move(world, placed, { regionKey: turn % 2 === 0 ? FAR : NEAR });
      const { reads, writes, failed } = callers.take();
      held.push(heldMs);
      during.reads.push(...reads);
      during.writes.push(...writes);
      during.failed += failed;
    }
    await callers.stop();
    const name = `${roundTripMs} ms`;
    const bars: Bar[] = [
      {
        what: `writes held, p95, ${name} between the regions`,
        measured: percentile(held, 0.95),
        unit: "ms",
        most: 250,
      },
      { what: `writes held, p99, ${name}`, measured: percentile(held, 0.99), unit: "ms", most: 1_000 },
      { what: `calls refused during the moves, ${name}`, measured: during.failed, unit: "", most: 0 },
    ];
    if (roundTripMs === 0)
      bars.push({
        what: "callers' p99 during the moves against before",
        measured:
          percentile([...during.reads, ...during.writes], 0.99) / percentile([...before.reads, ...before.writes], 0.99),
        most: 1.5,
      });
    return {
      rows: [
        [name, "writes held", ...cells(held)],
        [name, "a read before", ...cells(before.reads)],
        [name, "a read during the moves", ...cells(during.reads)],
        [name, "a write before", ...cells(before.writes)],
        [name, "a write during the moves", ...cells(during.writes)],
      ],
      bars,
    };
  } finally {
    await world.stop();
  }
}

/** One organization leaves a database that others share. */
async function measureNeighbours(): Promise<{ text: string; bars: Bar[] }> {
  const world = await makeWorld(0);
  try {
    const placed = await place(world, "SHARED", Number(flags.mb));
    const made = await startWorker({ databaseUrl: world.home, secretKey: world.secretKey }, {}, { role: "api" });
    for (let index = 0; index < Number(flags.neighbours); index += 1) {
      const { id: organizationId } = await createOrganization(made.services, OPERATOR, { name: `Neighbour ${index}` });
      await grantRegionAccess(made.services, OPERATOR, { organizationId, regionKey: NEAR, isolation: "SHARED" });
    }
    await made.close();
    const neighbour = await place(world, "SHARED", 1);
    const callers = new Callers(world.caller, neighbour.resourceId, world.author);
    await new Promise((resolve) => setTimeout(resolve, BEFORE_MS));
    const before = callers.take();
    const { seconds, heldMs } = await move(world, placed, { isolation: "DEDICATED" });
    const during = callers.take();
    await callers.stop();
    const all = ({ reads, writes }: typeof before) => [...reads, ...writes];
    return {
      text: [
        `Out of a database with ${flags.neighbours} others, into one of its own, ${flags.mb} MB in ${digits(seconds)} s; writes were held for ${digits(heldMs)} ms. What another organization of that database notices, in ms:`,
        table(
          ["", "p50", "p95", "p99", "worst"],
          [
            ["before", ...cells(all(before))],
            ["meanwhile", ...cells(all(during))],
          ],
        ),
      ].join("\n\n"),
      bars: [
        {
          what: "a neighbour's p99 while another organization leaves the shared database",
          measured: percentile(all(during), 0.99) / percentile(all(before), 0.99),
          open: true,
        },
      ],
    };
  } finally {
    await world.stop();
  }
}

const trips = flags["round-trip-ms"].split(",").map(Number);
const found: Awaited<ReturnType<typeof measureHolds>>[] = [];
for (const roundTripMs of trips) found.push(await measureHolds(roundTripMs));
const neighbours = await measureNeighbours();
report({
  title: "Moves",
  text: [
    `${flags.moves} moves of ${flags.mb} MB, back and forth, while ${flags.callers} callers read and write; fsync ${flags.fsync ? "on" : "off"}. All times in ms.`,
    table(
      ["between the regions", "", "p50", "p95", "p99", "worst"],
      found.flatMap(({ rows }) => rows),
    ),
    neighbours.text,
  ].join("\n\n"),
  bars: [...found.flatMap(({ bars }) => bars), ...neighbours.bars],
});
