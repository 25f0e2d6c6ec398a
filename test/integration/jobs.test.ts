/** Jobs: asked for once, visible step by step, finished or cleanly undone. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { TenantryError } from "../../src/base/kernel/errors.ts";
import { classifyFailure } from "../../src/engine/jobs/failure.ts";
import { runImport } from "../../src/engine/transfer/import-placement.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { openServices } from "../support/fleet.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  type Granted,
  registerRegion,
} from "../support/journey.ts";
import { temporaryFolder } from "../support/servers.ts";

let app: TestApp;
let exportFolder: string;

beforeAll(async () => {
  exportFolder = temporaryFolder();
  app = await startApp({ exportFolder });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

type Job = {
  id: string;
  kind: string;
  state: string;
  step: string | null;
  attempts: number;
  lastError: string | null;
  requestedBy: string;
  result: string | null;
  steps: { name: string; attempts: number; finishedAt: string | null }[];
};

async function jobsOn(placementId: string, as?: string): Promise<Job[]> {
  const { jobs } = await app.ask(
    `query ($id: ID) { jobs(placementId: $id) { edges { node {
       id kind state step attempts lastError requestedBy result steps { name attempts finishedAt } } } } }`,
    { id: placementId },
    as,
  );
  return jobs.edges.map(({ node }: { node: Job }) => node);
}

const revokeQuery =
  "mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { id state dropAfter } }";

async function filled(
  name: string,
): Promise<{ organization: string; placement: Granted; resource: string; user: string }> {
  const user = await createUser(app, "Owner");
  const organization = await createOrganization(app, name, user);
  const placement = await grant(app, organization, "eu");
  const resource = await createResource(app, { name: "Project", organizationId: organization });
  await comment(app, resource, user);
  return { organization, placement, resource, user };
}

/** Everything on home's and the region's server whose name is the database's or begins with it. */
async function traces({ database }: Granted): Promise<string[]> {
  const look = async (url: string) =>
    (
      await sql<{ name: string }>(
        url,
        `select 'database ' || datname as name from pg_database where datname = $1
         union all select 'slot ' || slot_name from pg_replication_slots where starts_with(slot_name, $1 || '_')
         union all select 'publication ' || pubname from pg_publication where starts_with(pubname, $1 || '_')
         union all select 'subscription ' || subname from pg_subscription where starts_with(subname, $1 || '_')`,
        [database],
      )
    ).map(({ name }) => name);
  return [...(await look(app.databaseUrl)), ...(await look(`${serverUrl("eu")}/postgres`))];
}

test("a grant is a job with its steps", async () => {
  const { placement } = await filled("Stepwise");
  const [job] = await jobsOn(placement.id);
  expect(job).toMatchObject({
    kind: "provision-placement",
    state: "DONE",
    step: null,
    attempts: 1,
    requestedBy: "operator",
  });
  expect(job?.steps.map(({ name }) => name).toSorted()).toEqual(
    [
      "project-members",
      "make-template",
      "create-database",
      "protect",
      "identify",
      "link-directory",
      "link-catalog",
      "activate",
    ].toSorted(),
  );
  expect(job?.steps.every(({ finishedAt }) => finishedAt !== null)).toBe(true);
});

test("fifty grants at once finish, and asking twice at the same moment gives the same placement", async () => {
  const organizations = await Promise.all(Array.from({ length: 50 }, (_, i) => createOrganization(app, `Crowd ${i}`)));
  const settled = async (organization: string) => {
    let placement = await grant(app, organization, "eu");
    // It returns after 5 s with the state reached.
    while (placement.state === "PROVISIONING") placement = await grant(app, organization, "eu");
    return placement;
  };
  const twice = await Promise.all(organizations.flatMap((one) => [settled(one), settled(one)]));
  expect(new Set(twice.map(({ state }) => state))).toEqual(new Set(["ACTIVE"]));
  expect(new Set(twice.map(({ id }) => id)).size).toBe(50);
}, 90_000);

test("a revocation asks for the name, suspends, and can be undone", async () => {
  const { placement, organization, resource, user } = await filled("Graceful");
  const wrong = { placementId: placement.id, confirm: "graceful" };
  expect(await app.refuse(revokeQuery, { input: wrong }, user)).toMatchObject({
    code: "INVALID_INPUT",
    field: "confirm",
  });
  const { revokeRegionAccess } = await app.ask(
    revokeQuery,
    { input: { placementId: placement.id, confirm: "Graceful" } },
    user,
  );
  expect(revokeRegionAccess.state).toBe("SUSPENDED");
  expect(new Date(revokeRegionAccess.dropAfter).getTime() - Date.now()).toBeGreaterThan(6.9 * 24 * 3_600_000);
  const write = "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }";
  expect(await app.refuse(write, { input: { name: "Late", organizationId: organization } })).toMatchObject({
    code: "CONFLICT",
  });
  expect(await app.refuse("query ($id: ID!) { resource(id: $id) { name } }", { id: resource })).toMatchObject({
    code: "CONFLICT",
  });
  const { resumeRegionAccess } = await app.ask(
    "mutation ($id: ID!) { resumeRegionAccess(placementId: $id) { state dropAfter } }",
    { id: placement.id },
    user,
  );
  expect(resumeRegionAccess).toEqual({ state: "ACTIVE", dropAfter: null });
  expect((await app.ask("query ($id: ID!) { resource(id: $id) { name } }", { id: resource })).resource.name).toBe(
    "Project",
  );
  expect((await jobsOn(placement.id))[0]).toMatchObject({ kind: "revoke-placement", state: "CANCELLED" });
});

test("a revocation without grace leaves nothing but a receipt, and the organization can come back", async () => {
  const { placement, organization, user } = await filled("Gone");
  await addMember(app, organization, await createUser(app, "Member"));
  const [at] = await sql<{ id: number }>(app.databaseUrl, "select id from tenantry.tenant_databases where name = $1", [
    placement.database,
  ]);
  await sql(
    app.databaseUrl,
    `begin; set local tenantry.catalog_sender = '${at?.id}';
     insert into tenantry_inbox.resources (database_id, id) values (${at?.id}, gen_random_uuid()); commit`,
  );
  const input = { placementId: placement.id, confirm: "Gone", skipGrace: true };
  expect((await app.ask(revokeQuery, { input }, user)).revokeRegionAccess.state).toBe("REVOKING");
  const done = await eventually(async () =>
    (await jobsOn(placement.id)).find(({ state, kind }) => kind === "revoke-placement" && state === "DONE"),
  );
  expect(await traces(placement)).toEqual([]);
  const rows = await sql(
    app.databaseUrl,
    `select 'resource' from catalog.resources where organization_id = $1
     union all select 'inbox' from tenantry_inbox.resources where organization_id = $1
     -- Of a row that was refused nobody knows whose it was.
     union all select 'inbox' from tenantry_inbox.resources where database_id not in (select id from tenantry.tenant_databases)
     union all select 'directory' from tenantry.directory_members where organization_id = $1
     union all select 'directory' from tenantry.directory_organizations where organization_id = $1
     union all select 'placement' from tenantry.placements where organization_id = $1`,
    [organization],
  );
  expect(rows).toEqual([]);
  // An owner reads it: where the server is and who signs in there is the operator's.
  expect(done?.result).not.toMatch(/127\.0\.0\.1|localhost|postgres:|"(host|port|user)"/);
  const receipt = JSON.parse(done?.result ?? "{}");
  expect(receipt.tables).toMatchObject([
    { table: "app.resources", rows: 1 },
    { table: "app.comments", rows: 1 },
    { table: "tenantry.directory_organizations", rows: 1 },
    { table: "tenantry.directory_members", rows: 2 },
  ]);
  expect(receipt).toMatchObject({
    organization: { name: "Gone" },
    region: { key: "eu" },
    database: placement.database,
  });
  expect(receipt.removed.map(({ what }: { what: string }) => what)).toContain("database");
  expect(receipt.remaining).toContain("Backups");
  const again = await grant(app, organization, "eu");
  expect(again).toMatchObject({ state: "ACTIVE" });
  expect(again.database).not.toBe(placement.database);
});

test.each([
  [
    "a server's words",
    Object.assign(new Error('role "admin" of 10.0.0.5:5432'), { code: "XX000" }),
    "The region's server reported an internal error.",
  ],
  [
    "a server's words about our statement",
    Object.assign(new Error('relation "x" of 10.0.0.5:5432 does not exist'), { code: "42P01" }),
    "PostgreSQL refused it.",
  ],
  [
    "what to grant to a role",
    new TenantryError("CAPABILITY_MISSING", "As a superuser of 10.0.0.5:5432 run: ALTER ROLE admin CREATEROLE;"),
    "Something that Tenantry needs is missing.",
  ],
])("of a failure with %s an owner reads no more than that it is there", async (_, error, sentence) => {
  const { placement, user } = await filled("Failing");
  const recorded = classifyFailure(error).sentence;
  await sql(app.databaseUrl, "update tenantry.placements set failure = $2 where id = $1", [placement.id, recorded]);
  await sql(app.databaseUrl, "update tenantry.jobs set last_error = $2 where placement_id = $1", [
    placement.id,
    recorded,
  ]);
  const read = async (as?: string) => {
    const query = "query ($id: ID!) { placement(id: $id) { failure } }";
    const { failure } = (await app.ask(query, { id: placement.id }, as)).placement;
    return [failure, (await jobsOn(placement.id, as))[0]?.lastError];
  };
  expect(await read(user)).toEqual([sentence, sentence]);
  expect(await read()).toEqual([recorded, recorded]);
  expect(recorded).toContain("10.0.0.5");
});

test("a revocation can export first, and a new placement takes the export in under the old ids", async () => {
  const { placement, organization, resource, user } = await filled("Exported");
  const input = { placementId: placement.id, confirm: "Exported", skipGrace: true, exportFirst: true };
  await app.ask(revokeQuery, { input }, user);
  expect(await eventually(async () => (await traces(placement)).length === 0)).toBe(true);
  const next = await eventually(() =>
    grant(app, organization, "eu").then((granted) =>
      granted.state === "ACTIVE" && granted.id !== placement.id ? granted : undefined,
    ),
  );
  const done = (await jobsOn(placement.id)).find(({ kind }) => kind === "revoke-placement");
  const receipt = JSON.parse(done?.result ?? "{}");
  await using services = await openServices(app);
  const imported = await runImport(services, OPERATOR, next?.id ?? "", join(exportFolder, receipt.exportedTo));
  expect(imported.tables).toEqual({
    "app.resources": { rows: 1, added: 1 },
    "app.comments": { rows: 1, added: 1 },
  });
  const read = await app.ask(
    "query ($id: ID!) { resource(id: $id) { name comments(first: 1) { edges { node { author { id } } } } } }",
    { id: resource },
  );
  expect(read.resource).toEqual({ name: "Project", comments: { edges: [{ node: { author: { id: user } } }] } });
});

test("who does not own the organization sees nothing of its jobs and cannot revoke", async () => {
  const { placement } = await filled("Private");
  const stranger = await createUser(app, "Stranger");
  expect(await jobsOn(placement.id, stranger)).toEqual([]);
  const input = { placementId: placement.id, confirm: "Private" };
  expect(await app.refuse(revokeQuery, { input }, stranger)).toMatchObject({ code: "NOT_FOUND" });
});

/** Suspends a placement, has its grace be over, and stops the job before it looks. */
async function stoppedBeforeTheDrop(name: string) {
  const { placement, organization } = await filled(name);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const disarm = armFailpoint("revoke-placement/stop-writes/before", async () => {
    disarm();
    reached.resolve();
    await gate.promise;
  });
  await app.ask(revokeQuery, { input: { placementId: placement.id, confirm: name } });
  await sql(app.databaseUrl, "update tenantry.placements set drop_after = now() where id = $1", [placement.id]);
  await sql(app.databaseUrl, "update tenantry.jobs set due_at = now() where placement_id = $1 and state = 'WAITING'", [
    placement.id,
  ]);
  await reached.promise;
  await app.ask("mutation ($id: ID!) { resumeRegionAccess(placementId: $id) { state } }", { id: placement.id });
  return { placement, organization, goOn: () => gate.resolve() };
}

const isOver = async (placementId: string) =>
  (await jobsOn(placementId)).every(({ state }) => state !== "WAITING" && state !== "RUNNING");

test("a placement that is resumed in the last moment keeps everything", async () => {
  const { placement, organization, goOn } = await stoppedBeforeTheDrop("Saved");
  goOn();
  expect(await eventually(() => isOver(placement.id))).toBe(true);
  const { placement: after } = await app.ask("query ($id: ID!) { placement(id: $id) { state } }", { id: placement.id });
  expect(after.state).toBe("ACTIVE");
  await createResource(app, { name: "Still here", organizationId: organization });
});

test("a revocation asked for while the one before is ending is not lost", async () => {
  const { placement, goOn } = await stoppedBeforeTheDrop("Twice");
  const input = { placementId: placement.id, confirm: "Twice" };
  await app.ask(revokeQuery, { input });
  await sql(app.databaseUrl, "update tenantry.placements set drop_after = now() where id = $1", [placement.id]);
  goOn();
  expect(await eventually(async () => (await traces(placement)).length === 0)).toBe(true);
});

test("placementChanged tells each step, and ends when the placement is gone", async () => {
  const { placement } = await filled("Watched");
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({
      query: "subscription ($id: ID!) { placementChanged(id: $id) { state } }",
      variables: { id: placement.id },
    }),
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  // What comes first need not be an event yet.
  while (!text.includes("ACTIVE")) text += (await reader?.read())?.value ?? "";
  const input = { placementId: placement.id, confirm: "Watched", skipGrace: true };
  await app.ask(revokeQuery, { input });
  for (let chunk = await reader?.read(); chunk?.done === false; chunk = await reader?.read()) text += chunk.value;
  const states = [...text.matchAll(/"state":"([A-Z]+)"/g)].map(([, state]) => state);
  expect(states[0]).toBe("ACTIVE");
  // Those of its steps that follow each other at once may be told as one.
  expect(states.filter((state) => state === "REVOKING").length).toBeGreaterThan(2);
  expect(text).toContain("NOT_FOUND");
});

test("a database of an organization that home has forgotten is neither used nor dropped", async () => {
  const { placement, resource } = await filled("Forgotten");
  const [record] = await sql<{ id: number }>(
    app.databaseUrl,
    "select database_id as id from tenantry.placements where id = $1",
    [placement.id],
  );
  // What a home that was restored to an earlier moment has: neither the grant, nor the numbers that it gave.
  await sql(app.databaseUrl, "delete from tenantry.placements where id = $1", [placement.id]);
  await sql(app.databaseUrl, "delete from tenantry.tenant_databases where id = $1", [record?.id]);
  await sql(
    app.databaseUrl,
    "select setval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'), $1::int, false)",
    [record?.id],
  );
  const other = await createOrganization(app, "Newcomer");
  const refused = await grant(app, other, "eu");
  expect(refused).toMatchObject({ state: "FAILED", database: placement.database });
  expect(refused.failure).toContain("whom home has forgotten");
  const input = { placementId: refused.id, confirm: "Newcomer", skipGrace: true };
  await app.ask(revokeQuery, { input });
  const revocation = async () =>
    (await jobsOn(refused.id)).find(({ kind, state }) => kind === "revoke-placement" && state === "FAILED");
  expect((await eventually(revocation))?.lastError).toContain("whom home has forgotten");
  const url = `${serverUrl("eu")}/${placement.database}`;
  expect(await sql(url, "select id from app.resources")).toEqual([{ id: resource }]);

  const server = `${serverUrl("eu")}/postgres`;
  await sql(server, `alter database ${placement.database} allow_connections false`);
  await sql(server, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", [
    placement.database,
  ]);
  await sql(server, `alter database ${placement.database} rename to ${placement.database}_kept`);
  await sql(server, `alter database ${placement.database}_kept allow_connections true`);
  await app.ask("mutation ($id: ID!) { retryPlacement(placementId: $id) { state } }", { id: refused.id });
  const isGone = async () =>
    (await sql(app.databaseUrl, "select from tenantry.placements where id = $1", [refused.id])).length === 0;
  expect(await eventually(isGone)).toBe(true);
  expect(await sql(`${url}_kept`, "select id from app.resources")).toEqual([{ id: resource }]);
});
