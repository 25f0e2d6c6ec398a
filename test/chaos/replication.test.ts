/**
 * Random work while everything is killed, again and again. At the end every directory and the catalog equal what home
 * and the tenant databases say, row by row, nothing acknowledged is lost, and nothing is left awake.
 *
 * CHAOS_SECONDS makes it longer, CHAOS_SEED repeats a run as far as timing lets it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { waitFor } from "../../src/kernel/wait.ts";
import { serverUrl, sql } from "../support/app.ts";
import { eventually } from "../support/journey.ts";
import { Random } from "../support/random.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 45);
const SEED = Number(process.env["CHAOS_SEED"] ?? randomInt(2 ** 31));
const PROGRAM = fileURLToPath(new URL("../support/tenantry-process.ts", import.meta.url));
const ORGANIZATIONS = 6;
const REPLICATION = {
  sweepIntervalMs: 1_000,
  carrier: { idleMs: 150, stallMs: 1_500, retryMs: 100, maxRetryMs: 1_000 },
  limits: { maxRetainedBytes: 4_000_000, maxAgeMs: 3_000 },
};

/** What the one field asked for has; each query asks for what it needs. */
type Answer = { id: string; database: string; state?: string };
type Process = { role: "api" | "worker"; child: ChildProcess; url: string };
type Tenant = { organization: string; database: string; url: string; databaseId: number };

const processes: Process[] = [];
let servers: { home: OwnServer; region: OwnServer } | undefined;
let databaseUrl = "";
const secretKey = randomBytes(32).toString("base64");

afterAll(async () => {
  for (const { child } of processes) child.kill("SIGKILL");
  await servers?.home[Symbol.asyncDispose]();
  await servers?.region[Symbol.asyncDispose]();
});

async function startProcess(role: "api" | "worker"): Promise<Process> {
  const options = { databaseUrl, secretKey, role, replication: REPLICATION };
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(options)], { stdio: ["ignore", "pipe", "ignore"] });
  const url = await new Promise<string>((resolve) => {
    child.stdout.once("data", (line: Buffer) => resolve((JSON.parse(line.toString()) as { url: string }).url));
    child.once("exit", () => resolve(""));
  });
  return { role, child, url };
}

/** Keeps as many processes of a role running as there should be. */
async function restartDead(): Promise<void> {
  for (const [index, one] of processes.entries())
    if (one.child.exitCode !== null || one.child.signalCode !== null || (one.role === "api" && one.url === ""))
      processes[index] = await startProcess(one.role);
}

/** Sends an operation to some API; undefined when it was not acknowledged. */
async function ask(random: Random, query: string, variables: object): Promise<Answer | undefined> {
  const url = random.pick(processes.filter(({ role }) => role === "api")).url;
  try {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(15_000),
    });
    const { data, errors } = (await response.json()) as { data: Record<string, Answer>; errors?: unknown };
    return errors === undefined ? Object.values(data)[0] : undefined;
  } catch {
    return undefined;
  }
}

/** Sends it until it is acknowledged. */
async function insist(random: Random, query: string, variables: object): Promise<Answer> {
  const answer = await eventually(async () => {
    const given = await ask(random, query, variables);
    return given?.state === "PROVISIONING" ? undefined : given;
  }, 40_000);
  if (answer === undefined) throw new Error(`not acknowledged in 40 s: ${query}`);
  return answer;
}

/** Work and disturbances come at random moments, not in a rush. */
async function pause(milliseconds: number): Promise<void> {
  const moment = Date.now() + milliseconds;
  await waitFor(async () => (Date.now() >= moment ? true : undefined), { timeoutMs: milliseconds });
}

const CREATE_USER = "mutation ($i: CreateUserInput!) { createUser(input: $i) { id } }";
const CREATE_ORGANIZATION = "mutation ($i: CreateOrganizationInput!) { createOrganization(input: $i) { id } }";
const ADD = "mutation ($i: AddOrganizationMemberInput!) { addOrganizationMember(input: $i) { role } }";
const REMOVE = "mutation ($i: RemoveOrganizationMemberInput!) { removeOrganizationMember(input: $i) { id } }";
const RENAME = "mutation ($i: UpdateUserInput!) { updateUser(input: $i) { id } }";
const GRANT = "mutation ($i: GrantRegionAccessInput!) { grantRegionAccess(input: $i) { state database } }";
const CREATE_RESOURCE = "mutation ($i: CreateResourceInput!) { createResource(input: $i) { id } }";
const COMMENT = "mutation ($i: CreateCommentInput!) { createComment(input: $i) { id } }";
const REGISTER = "mutation ($i: RegisterRegionInput!) { registerRegion(input: $i) { key } }";

/** Home and a region, both servers to kill, two processes of each role, and organizations with a tenant database. */
async function setUp(random: Random): Promise<{ tenants: Tenant[]; users: string[] }> {
  const [home, region] = await Promise.all([startServer({ databases: ["chaos"] }), startServer()]);
  servers = { home, region };
  databaseUrl = home.url("chaos");
  for (const role of ["api", "worker", "api", "worker"] as const) processes.push(await startProcess(role));
  await insist(random, REGISTER, { i: { key: "own", name: "Own", connectionUrl: region.url() } });
  const users: string[] = [];
  for (let index = 0; index < 10; index += 1) {
    const input = { name: `User ${index}`, email: `user.${index}@example.com` };
    users.push((await insist(random, CREATE_USER, { i: input })).id);
  }
  const tenants: Tenant[] = [];
  for (let index = 0; index < ORGANIZATIONS; index += 1) {
    const organization = (await insist(random, CREATE_ORGANIZATION, { i: { name: `Organization ${index}` } })).id;
    const { database } = await insist(random, GRANT, { i: { organizationId: organization, regionKey: "own" } });
    const [row] = await sql<{ id: number }>(databaseUrl, "select id from tenantry.tenant_databases where name = $1", [
      database,
    ]);
    tenants.push({ organization, database, url: region.url(database), databaseId: row?.id ?? 0 });
  }
  return { tenants, users };
}

type Acknowledged = { resources: Map<string, Tenant>; comments: Map<string, Tenant>; writes: number };

/** One random write, through an API or by hand. What fails was not acknowledged and may or may not have happened. */
async function work(random: Random, tenants: Tenant[], users: string[], done: Acknowledged): Promise<void> {
  const tenant = random.pick(tenants);
  const user = random.pick(users);
  const { organization: organizationId } = tenant;
  const kinds: (() => Promise<unknown>)[] = [
    () => ask(random, ADD, { i: { organizationId, userId: user, role: random.pick(["MEMBER", "ADMIN", "VIEWER"]) } }),
    () => ask(random, REMOVE, { i: { organizationId, userId: user } }),
    () => ask(random, RENAME, { i: { id: user, name: `Name ${random.below(1_000)}` } }),
    async () => {
      const answer = await ask(random, CREATE_RESOURCE, {
        i: { name: `Resource ${random.below(1_000)}`, organizationId },
      });
      if (answer !== undefined) done.resources.set(answer.id, tenant);
      return answer;
    },
    async () => {
      const known = [...done.resources].filter(([, owner]) => owner === tenant);
      if (known.length === 0) return undefined;
      const resourceId = random.pick(known)[0];
      const answer = await ask(random, COMMENT, { i: { resourceId, authorId: user, body: "A note" } });
      if (answer !== undefined) done.comments.set(answer.id, tenant);
      return answer;
    },
    () =>
      sql(
        tenant.url,
        `insert into tenantry.resources (database_id, id, organization_id, name)
         select database_id, gen_random_uuid(), $1, 'By hand' from tenantry.identity`,
        [organizationId],
      ),
    () => sql(tenant.url, "update tenantry.resources set name = name || '!' where length(name) < 100"),
    () => sql(databaseUrl, "update tenantry.users set name = 'By hand' where id = $1", [user]),
  ];
  const result = await random
    .pick(kinds)()
    .catch(() => undefined);
  if (result !== undefined) done.writes += 1;
}

/** One random disturbance. */
async function disturb(random: Random, tenants: Tenant[]): Promise<string> {
  const both = servers;
  if (both === undefined) return "nothing";
  const { home, region } = both;
  const tenant = random.pick(tenants);
  const link = (direction: string) => `${tenant.database}_${direction}`;
  const kinds: [string, () => Promise<unknown>][] = [
    ["kill a process", async () => random.pick(processes).child.kill("SIGKILL")],
    ["kill a process", async () => random.pick(processes).child.kill("SIGKILL")],
    ["crash a server", async () => crash(random.pick([home, region]), random)],
    ["end walsenders", () => endBackends(random, "walsender")],
    ["end apply workers", () => endBackends(random, "logical replication apply worker")],
    ["drop the directory's slot", () => dropSlot(databaseUrl, link("directory"))],
    ["drop the catalog's slot", () => dropSlot(tenant.url, link("catalog"))],
    ["drop the catalog's subscription", () => dropSubscription(databaseUrl, link("catalog"))],
    ["drop the directory's subscription", () => dropSubscription(tenant.url, link("directory"))],
    ["drop the directory's publication", () => sql(databaseUrl, `drop publication if exists ${link("directory")}`)],
    ["drop the catalog's publication", () => sql(tenant.url, `drop publication if exists ${link("catalog")}`)],
    ["enable by hand", () => sql(databaseUrl, `alter subscription ${link("catalog")} enable`)],
    ["disable by hand", () => sql(tenant.url, `alter subscription ${link("directory")} disable`)],
  ];
  const [name, act] = random.pick(kinds);
  await act().catch(() => undefined);
  return name;
}

async function crash({ server }: OwnServer, random: Random): Promise<void> {
  if (random.below(2) === 0) await server.kill();
  else await server.stop("immediate");
  await server.start();
}

async function endBackends(random: Random, type: string): Promise<void> {
  const url = random.pick([databaseUrl, servers?.region.url("postgres") ?? ""]);
  await sql(url, "select pg_terminate_backend(pid) from pg_stat_activity where backend_type like $1 || '%'", [type]);
}

async function dropSlot(url: string, name: string): Promise<void> {
  await sql(
    url,
    `select pg_terminate_backend(active_pid, 1000) from pg_replication_slots where slot_name = $1 and active`,
    [name],
  );
  await sql(url, "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1", [name]);
}

async function dropSubscription(url: string, name: string): Promise<void> {
  await sql(url, `alter subscription ${name} disable`);
  await sql(url, `alter subscription ${name} set (slot_name = none)`);
  await sql(url, `drop subscription ${name}`);
}

const MEMBERS = "organization_id, user_id, role, name, email";

/** Everything that must be equal and is not; empty when all agree. */
async function findDifferences(tenants: readonly Tenant[]): Promise<string[]> {
  const differences: string[] = [];
  for (const { database, url, databaseId } of tenants) {
    const truth = await sql(
      databaseUrl,
      `select m.organization_id, m.user_id, m.role, u.name, u.email
       from tenantry.placements p join tenantry.memberships m using (organization_id)
       join tenantry.users u on u.id = m.user_id where p.database_id = $1 order by m.user_id`,
      [databaseId],
    );
    const projected = await sql(
      databaseUrl,
      `select ${MEMBERS} from tenantry.directory_members where database_id = $1 order by user_id`,
      [databaseId],
    );
    const there = await sql(url, `select ${MEMBERS} from tenantry.directory_members order by user_id`);
    if (JSON.stringify(truth) !== JSON.stringify(projected)) differences.push(`${database}: home's projection`);
    if (JSON.stringify(truth) !== JSON.stringify(there)) differences.push(`${database}: directory`);
    const columns = "id, organization_id, name, created_by, created_at";
    const source = await sql(url, `select ${columns} from tenantry.resources order by id`);
    const catalog = await sql(
      databaseUrl,
      `select ${columns} from tenantry.resources where database_id = $1 order by id`,
      [databaseId],
    );
    if (JSON.stringify(source) !== JSON.stringify(catalog)) differences.push(`${database}: catalog`);
  }
  return differences;
}

/** What is awake, missing or too much on a server. */
async function findUnrest(tenants: readonly Tenant[]): Promise<string[]> {
  const unrest: string[] = [];
  const expected = (direction: string) => tenants.map(({ database }) => `${database}_${direction}`).toSorted();
  for (const [url, publishes, subscribes] of [
    [databaseUrl, "directory", "catalog"],
    [servers?.region.url("postgres") ?? "", "catalog", "directory"],
  ] as const) {
    const slots = await sql<{ name: string; active: boolean }>(
      url,
      "select slot_name as name, active from pg_replication_slots order by 1",
    );
    const subscriptions = await sql<{ name: string; enabled: boolean }>(
      url,
      "select subname as name, subenabled as enabled from pg_subscription order by 1",
    );
    if (
      slots
        .map(({ name }) => name)
        .toSorted()
        .join() !== expected(publishes).join()
    )
      unrest.push(`slots of ${publishes}`);
    if (
      subscriptions
        .map(({ name }) => name)
        .toSorted()
        .join() !== expected(subscribes).join()
    )
      unrest.push(`subscriptions of ${subscribes}`);
    if (slots.some(({ active }) => active)) unrest.push(`an active slot of ${publishes}`);
    if (subscriptions.some(({ enabled }) => enabled)) unrest.push(`an awake subscription of ${subscribes}`);
  }
  return unrest;
}

test(
  `${SECONDS} seconds of it, seed ${SEED}`,
  async () => {
    // The shared servers are not disturbed; that they are there is what makes this file run with the others.
    expect(serverUrl("home")).toBeTruthy();
    const random = new Random(SEED);
    const { tenants, users } = await setUp(random);
    const done: Acknowledged = { resources: new Map(), comments: new Map(), writes: 0 };
    const disturbances: string[] = [];
    const end = Date.now() + SECONDS * 1_000;
    const workers = Array.from({ length: 4 }, async () => {
      while (Date.now() < end) {
        await work(random, tenants, users, done);
        await pause(random.below(30));
      }
    });
    const disturber = (async () => {
      while (Date.now() < end) {
        disturbances.push(await disturb(random, tenants));
        await pause(200 + random.below(1_200));
        await restartDead();
      }
    })();
    await Promise.all([...workers, disturber]);
    await restartDead();

    const left = async () => [...(await findDifferences(tenants)), ...(await findUnrest(tenants))];
    await eventually(async () => (await left().catch(() => ["a server"])).length === 0, 90_000);
    expect(await left(), `after ${disturbances.join(", ")}`).toEqual([]);
    for (const [acknowledged, table] of [
      [done.resources, "resources"],
      [done.comments, "comments"],
    ] as const)
      for (const tenant of tenants) {
        const ids = [...acknowledged].filter(([, owner]) => owner === tenant).map(([id]) => id);
        const found = await sql(tenant.url, `select id from tenantry.${table} where id = any($1::uuid[])`, [ids]);
        expect(found.length, `${table} of ${tenant.database}`).toBe(ids.length);
      }
    // It was no walk in the park, and not only one.
    expect(disturbances.length).toBeGreaterThan(SECONDS / 5);
    expect(done.writes).toBeGreaterThan(SECONDS);
  },
  (SECONDS + 200) * 1_000,
);
