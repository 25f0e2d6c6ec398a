/**
 * Moves against a model: random writes, moves, cancels, workers killed and connections ended, in any order. No write is refused; in
 * the end the placement has what the model has, row by row, in one database alone, and nothing of a move is left anywhere.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type Model as Comments, readComments } from "../support/move-callers.ts";
import { ModelCommand } from "../support/model-command.ts";
import { type OwnServer, startServer } from "../support/servers.ts";
import { Worker } from "./worker.ts";

type Model = { comments: Comments; count: number };
type Real = { organization: string; placement: string; resource: string };
type Run = (model: Model, real: Real) => Promise<unknown>;

/** Of its own: streams are cut on a server as a whole. */
const servers = new Map<string, OwnServer>();
let api: TestApp;
let worker: Worker;
let options: object;
let ada: string;

beforeAll(async () => {
  const [eu, us] = await Promise.all([startServer(), startServer()]);
  servers.set("eu", eu).set("us", us);
  api = await startApp({ role: "api" });
  const { databaseUrl, secretKey } = api;
  options = { databaseUrl, secretKey, moves: { routesKeptMs: 100 }, replication: { sweepIntervalMs: 300 } };
  worker = await Worker.start(options);
  await registerRegion(api, "eu", serverUrl("eu"));
  await registerRegion(api, "us", serverUrl("us"));
  ada = await createUser(api, "Ada");
}, 60_000);
afterAll(async () => {
  await worker.kill();
  await api.stop();
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
});

function serverUrl(key: string): string {
  return servers.get(key)?.url() ?? "";
}

const CREATE = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";
const UPDATE = "mutation ($input: UpdateCommentInput!) { updateComment(input: $input) { id } }";
const DELETE = "mutation ($input: DeleteCommentInput!) { deleteComment(input: $input) }";
const MOVE = "mutation ($input: MovePlacementInput!) { movePlacement(input: $input) { state } }";
const CANCEL = "mutation ($id: ID!) { cancelMove(placementId: $id) { state } }";

async function write(model: Model, { resource }: Real): Promise<void> {
  model.count += 1;
  const body = `Comment ${model.count}`;
  const { createComment } = await api.ask(CREATE, { input: { resourceId: resource, authorId: ada, body } });
  model.comments.set(createComment.id, body);
}

const oldest = ({ comments }: Model) => comments.keys().next().value;

const COMMANDS: [string, Run][] = [
  ["write", write],
  ["write ten at once", (model, real) => Promise.all(Array.from({ length: 10 }, () => write(model, real)))],
  [
    "change the oldest",
    async (model) => {
      const commentId = oldest(model);
      if (commentId === undefined) return;
      model.count += 1;
      const body = `Changed ${model.count}`;
      await api.ask(UPDATE, { input: { commentId, body } });
      model.comments.set(commentId, body);
    },
  ],
  [
    "delete the oldest",
    async (model) => {
      const commentId = oldest(model);
      if (commentId === undefined) return;
      await api.ask(DELETE, { input: { commentId } });
      model.comments.delete(commentId);
    },
  ],
  ...(["eu", "us"] as const).flatMap((regionKey) =>
    (["DEDICATED", "SHARED"] as const).map((isolation): [string, Run] => [
      `move to ${regionKey}, ${isolation}`,
      (_, { placement }) => tried(MOVE, { input: { placementId: placement, regionKey, isolation } }),
    ]),
  ),
  [
    "move to the other region, and keep the source",
    async (_, { placement }) => {
      const [row] = await sql<{ key: string }>(
        api.databaseUrl,
        "select r.key from tenantry.placements p join tenantry.regions r on r.id = p.region_id where p.id = $1",
        [placement],
      );
      const regionKey = row?.key === "eu" ? "us" : "eu";
      await tried(MOVE, { input: { placementId: placement, regionKey, keepSourceSeconds: 3_600 } });
    },
  ],
  ["call it off", (_, { placement }) => tried(CANCEL, { id: placement })],
  [
    "the worker is killed",
    async () => {
      await worker.kill();
      worker = await Worker.start(options);
    },
  ],
  [
    "streams are cut",
    () =>
      Promise.all(
        (["eu", "us"] as const).map((server) =>
          sql(
            `${serverUrl(server)}/postgres`,
            `select pg_terminate_backend(pid) from pg_stat_activity
             where backend_type like 'logical replication apply%' or backend_type = 'walsender'`,
          ),
        ),
      ),
  ],
  [
    "wait until it rests",
    async (_, { placement }) => {
      await eventually(async () => (await standing(placement))?.isResting, 20_000);
    },
  ],
];

/** What is refused in a sentence, as it comes too early or too late, changes nothing. */
async function tried(query: string, variables: object): Promise<void> {
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { errors = [] } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
  expect(["CONFLICT", "INVALID_INPUT", undefined]).toContain(errors[0]?.extensions.code);
}

type Standing = { key: string; name: string; databaseId: number; step: string | null; isResting: boolean };

async function standing(placement: string): Promise<Standing | undefined> {
  const [row] = await sql<Standing>(
    api.databaseUrl,
    `select r.key, d.name, d.id as "databaseId", m.step,
       (p.state = 'ACTIVE' and (m.step is null or m.step = 'KEEPING_SOURCE')
        and not exists (select from tenantry.jobs j where j.placement_id = p.id and j.kind = 'move-placement'
                        and j.state in ('WAITING', 'RUNNING'))) as "isResting"
     from tenantry.placements p join tenantry.regions r on r.id = p.region_id join tenantry.tenant_databases d on d.id = p.database_id
     left join tenantry.moves m on m.placement_id = p.id where p.id = $1`,
    [placement],
  );
  return row;
}

/** Waits for the end of whatever goes on, and of what is kept. */
async function comeToRest(placement: string): Promise<Standing> {
  const rested = await eventually(async () => {
    const now = await standing(placement);
    if (now?.step === "KEEPING_SOURCE" && now.isResting)
      await sql(
        api.databaseUrl,
        `with kept as (update tenantry.moves set keep_until = now() where placement_id = $1)
         update tenantry.jobs set due_at = now() where kind = 'forget-source' and placement_id = $1 and state = 'WAITING'`,
        [placement],
      );
    return now?.isResting === true && now.step === null ? now : undefined;
  }, 60_000);
  if (rested !== undefined) return rested;
  const jobs = await sql(
    api.databaseUrl,
    "select kind, state, step, last_error from tenantry.jobs where placement_id = $1 and state <> 'DONE'",
    [placement],
  );
  throw new Error(`it does not come to rest: ${JSON.stringify([await standing(placement), jobs])}`);
}

/** The organization's comments in every tenant database that there is. */
async function rowsByDatabase({ organization }: Real): Promise<Map<string, Comments>> {
  const databases = await sql<{ key: string; name: string }>(
    api.databaseUrl,
    `select r.key, d.name from tenantry.tenant_databases d join tenantry.regions r on r.id = d.region_id
     where d.engine_version is not null`,
  );
  const found = new Map<string, Comments>();
  for (const { key, name } of databases) {
    const rows = await sql<{ id: string; body: string }>(
      `${serverUrl(key)}/${name}`,
      "select id, body from app.comments where organization_id = $1",
      [organization],
    );
    if (rows.length > 0) found.set(name, new Map(rows.map(({ id, body }) => [id, body])));
  }
  return found;
}

test("random commands end in agreement, on one side", async () => {
  const command = fc.constantFrom(...COMMANDS).map(([name, run]) => new ModelCommand(name, run));
  await fc.assert(
    fc.asyncProperty(fc.commands([command], { maxCommands: 14, size: "max" }), async (commands) => {
      const organization = await createOrganization(api, "Modelled");
      await addMember(api, organization, ada);
      const { id: placement } = await grant(api, organization, "eu", "SHARED");
      const resource = await createResource(api, { name: "Modelled", organizationId: organization });
      const model: Model = { comments: new Map(), count: 0 };
      const real: Real = { organization, placement, resource };
      await write(model, real);
      await fc.asyncModelRun(() => ({ model, real }), commands);
      const { name } = await comeToRest(placement);
      expect(await readComments(api, resource)).toEqual(model.comments);
      expect(await rowsByDatabase(real)).toEqual(
        model.comments.size === 0 ? new Map() : new Map([[name, model.comments]]),
      );
      for (const server of ["eu", "us"] as const)
        expect(
          await sql(
            `${serverUrl(server)}/postgres`,
            `select slot_name as name from pg_replication_slots where slot_name like $1
             union all select subname from pg_subscription where subname like $1`,
            [`tenantry\\_${api.services.installation}\\_%\\_move\\_%`],
          ),
        ).toEqual([]);
    }),
    { numRuns: process.env["TENANTRY_CHAOS"] === "full" ? 50 : 4, endOnFailure: true },
  );
}, 1_800_000);
