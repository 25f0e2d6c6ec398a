/** What the console asks of the API: that it is true, that it is bounded, and that nobody sees another's. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../src/base/kernel/ids.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
let owner: string;
let stranger: string;
let acme: string;
let other: string;
let placement: string;
let database: string;
let shared: { id: string; database: string };

const home = (text: string, values: unknown[] = []) => sql(app.databaseUrl, text, values);

beforeAll(async () => {
  app = await startApp({ homeCoordinates: "52.52,13.41" });
  owner = await createUser(app, "Owner");
  stranger = await createUser(app, "Stranger");
  acme = await createOrganization(app, "Acme", owner);
  other = await createOrganization(app, "acorn", stranger);
  await addMember(app, acme, await createUser(app, "Viewer"), "VIEWER");
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", serverUrl("us"));
  ({ id: placement, database } = await grant(app, acme, "eu"));
  shared = await grant(app, acme, "us", "SHARED");
  await grant(app, other, "us", "SHARED");
  const resource = await createResource(app, { name: "Plans", organizationId: acme, regionKey: "eu" }, owner);
  await comment(app, resource, owner);
  await comment(app, resource, owner);
  await createResource(app, { name: "Mine", organizationId: acme, regionKey: "us" }, owner);
  for (const name of ["Theirs", "Theirs too"])
    await createResource(app, { name, organizationId: other, regionKey: "us" }, stranger);
});
afterAll(() => app.stop());

describe("a region's place on the map", () => {
  const update = `mutation ($input: UpdateRegionInput!) {
    updateRegion(input: $input) { coordinates { latitude longitude } } }`;
  const set = async (coordinates: object | null | undefined) =>
    (await app.ask(update, { input: { key: "eu", name: "Europe", coordinates } })).updateRegion.coordinates;

  test("is set, stays, is changed and taken away", async () => {
    expect(await set({ latitude: 50.11, longitude: 8.68 })).toEqual({ latitude: 50.11, longitude: 8.68 });
    expect(await set(undefined)).toEqual({ latitude: 50.11, longitude: 8.68 });
    expect(await set({ latitude: -90, longitude: 180 })).toEqual({ latitude: -90, longitude: 180 });
    expect(await set(null)).toBeNull();
    await set({ latitude: 50.11, longitude: 8.68 });
  });

  test.each([
    { latitude: 90.5, longitude: 0 },
    { latitude: 0, longitude: -180.001 },
    { latitude: 1e300, longitude: 0 },
  ])("is refused where it is nowhere: $latitude, $longitude", async (coordinates) => {
    const input = { key: "eu", name: "Never", coordinates };
    expect(await app.refuse(update, { input })).toMatchObject({ code: "INVALID_INPUT", field: "coordinates" });
    const { region } = await app.ask('{ region(key: "eu") { name coordinates { latitude } } }', {}, stranger);
    expect(region).toEqual({ name: "Europe", coordinates: { latitude: 50.11 } });
  });
});

describe("the overview", () => {
  test("counts what there is, by region", async () => {
    const { overview } = await app.ask(`{ overview {
      organizations users placements home { coordinates { latitude longitude } version problem headroom { setting used limit } }
      regions { region { key } reachable problem isCarried placements states { state placements } failingJobs
                links { awake parked late broken } }
      jobs { waiting running failing } links { awake parked late broken worstLagSeconds } moreAttention } }`);
    expect(overview).toMatchObject({
      organizations: 2,
      users: 3,
      placements: 3,
      home: { coordinates: { latitude: 52.52, longitude: 13.41 }, version: expect.stringMatching(/^\d/) },
      moreAttention: 0,
    });
    expect(overview.home.headroom.map(({ setting }: { setting: string }) => setting)).toContain("max_connections");
    expect(overview.regions).toMatchObject([
      { region: { key: "eu" }, reachable: true, isCarried: true, placements: 1, failingJobs: 0 },
      { region: { key: "us" }, reachable: true, placements: 2, states: [{ state: "ACTIVE", placements: 2 }] },
    ]);
    const { awake, parked, late, broken } = overview.links;
    // Both of a database of its own, and both of the one that is shared.
    expect(awake + parked + late + broken).toBe(4);
  });

  test("says what to look at, the worst first, with the next command", async () => {
    await home(
      `insert into tenantry.jobs (id, kind, subject, placement_id, organization_id, region_id, requested_by, state, step, started_at, last_error)
       select gen_random_uuid(), 'provision-placement', 'placement:' || p.id, p.id, p.organization_id, p.region_id, 'operator',
              'FAILED', 'create-database', now(), 'The disk is full.' from tenantry.placements p where p.id = $1`,
      [placement],
    );
    await home("update tenantry.tenant_databases set migration_failure = 'A lock' where name = $1", [shared.database]);
    await home(
      "update tenantry.links set failure = 'The slot is gone.' where direction = 'catalog' and database_id = (select database_id from tenantry.placements where id = $1)",
      [placement],
    );
    try {
      const { overview } = await app.ask(
        "{ overview { jobs { failing } links { broken } attention { severity sentence command placementId jobId region { key } } } }",
      );
      expect(overview.jobs.failing).toBe(1);
      expect(overview.links.broken).toBe(1);
      expect(overview.attention.map(({ severity }: { severity: string }) => severity)).toEqual([
        "ERROR",
        "ERROR",
        "ERROR",
      ]);
      expect(overview.attention).toContainEqual(
        expect.objectContaining({
          sentence: "The job provision-placement has failed, at create-database: The disk is full.",
          command: "tenantry jobs --state FAILED",
          placementId: placement,
          region: { key: "eu" },
        }),
      );
      expect(overview.attention).toContainEqual(
        expect.objectContaining({ sentence: `${database} catalog: The slot is gone.`, command: "tenantry doctor" }),
      );
      expect(overview.attention).toContainEqual(
        expect.objectContaining({ sentence: "The last migration of 1 tenant database has failed." }),
      );
    } finally {
      await home("delete from tenantry.jobs where last_error = 'The disk is full.'");
      await home("update tenantry.tenant_databases set migration_failure = null");
      await home("update tenantry.links set failure = null");
    }
  });
});

describe("links", () => {
  const LINKS = `query ($state: LinkState, $regionKey: String, $first: Int, $after: String) {
    links(state: $state, regionKey: $regionKey, first: $first, after: $after) {
      edges { node { database direction state seeds wakes lagBytes walBytes lagSeconds problem carriedAt region { key } placements { id } } }
      pageInfo { hasNextPage endCursor } } }`;

  test("come in pages, each with what home knows and what the servers say", async () => {
    const first = (await app.ask(LINKS, { first: 3 })).links;
    const rest = (await app.ask(LINKS, { first: 3, after: first.pageInfo.endCursor })).links;
    expect([first.pageInfo.hasNextPage, rest.pageInfo.hasNextPage]).toEqual([true, false]);
    const all = [...first.edges, ...rest.edges].map(({ node }: { node: Record<string, unknown> }) => node);
    expect(all.map((node) => `${String(node["database"])} ${String(node["direction"])}`)).toEqual(
      [database, shared.database].flatMap((name) => [`${name} catalog`, `${name} directory`]),
    );
    expect(all[0]).toMatchObject({ seeds: 1, problem: null, region: { key: "eu" }, placements: [{ id: placement }] });
    for (const node of all) expect(node["walBytes"]).toEqual(expect.any(Number));
  });

  test("at rest are parked since then", async () => {
    const parked = await eventually(async () => {
      const { links } = await app.ask(LINKS, { state: "PARKED", regionKey: "eu" });
      return links.edges.filter(({ node }: any) => node.carriedAt !== null).length === 2 ? links.edges : undefined;
      // On a busy machine a wake is dear, and the link stays awake for a minute.
    }, 90_000);
    const [link] = parked ?? [];
    expect(link.node).toMatchObject({ state: "PARKED", lagSeconds: 0, carriedAt: expect.any(String) });
    expect(link.node.wakes).toBeGreaterThan(0);
  }, 100_000);

  test("that have something waiting are late, and only those are", async () => {
    await home(
      "update tenantry.links set waiting_since = now() - interval '1 hour' where direction = 'directory' and database_id = (select database_id from tenantry.placements where id = $1)",
      [placement],
    );
    const { links } = await app.ask(LINKS, { state: "LATE" });
    expect(links.edges).toHaveLength(1);
    expect(links.edges[0].node).toMatchObject({ database, direction: "directory" });
    expect(links.edges[0].node.lagSeconds).toBeGreaterThan(3_000);
    await home("update tenantry.links set waiting_since = null");
  });

  test("of a placement are its members' to see, and of a shared database only their own placements", async () => {
    const query =
      "query ($id: ID!) { placement(id: $id) { links { direction state placements { id organization { id } } } } }";
    const { placement: seen } = await app.ask(query, { id: shared.id }, owner);
    expect(seen.links.map(({ direction }: { direction: string }) => direction)).toEqual(["directory", "catalog"]);
    for (const { placements } of seen.links)
      expect(placements).toEqual([{ id: shared.id, organization: { id: acme } }]);
  });
});

describe("jobs", () => {
  const FAILING = `query ($kind: String, $regionKey: String) { jobs(failing: true, kind: $kind, regionKey: $regionKey) {
    edges { node { id isFailing isRetriable steps { name failure } region { key } placementId } } } }`;
  const RETRY = "mutation ($ids: [ID!]!) { retryJobs(ids: $ids) { id refusal job { id state } } }";

  const insertJob = async (state: string, values: { kind?: string; subject?: string; error?: string | null } = {}) => {
    const { kind = "review-erasures", subject = "region:none", error = "It failed." } = values;
    const [row] = await home(
      `insert into tenantry.jobs (id, kind, subject, requested_by, state, step, last_error, due_at)
       values ($5, $1, $2, 'operator', $3, 'compare', $4, now() + interval '1 day') returning id`,
      [kind, subject, state, error, newId()],
    );
    const id = String(row?.["id"]);
    await home(
      "insert into tenantry.job_steps (job_id, name, attempts, started_at) values ($1, 'compare', 2, now()), ($1, 'before', 1, now() - interval '1 s')",
      [id],
    );
    return id;
  };

  test("that are failing are those that nobody has asked for since", async () => {
    const old = await insertJob("FAILED");
    const newer = await insertJob("FAILED");
    const { jobs } = await app.ask(FAILING);
    expect(jobs.edges.map(({ node }: any) => node.id)).toEqual([newer]);
    expect(jobs.edges[0].node).toMatchObject({
      isFailing: true,
      isRetriable: true,
      steps: [
        { name: "before", failure: null },
        { name: "compare", failure: "It failed." },
      ],
    });
    expect((await app.ask(FAILING, { kind: "retire-region" })).jobs.edges).toEqual([]);
    expect((await app.ask(FAILING, { regionKey: "eu" })).jobs.edges).toEqual([]);
    await home("delete from tenantry.jobs where id = any($1)", [[old, newer]]);
  });

  test("run again when they are failing, and one that does not keeps no other", async () => {
    const failed = await insertJob("FAILED");
    const waits = await insertJob("WAITING", { subject: "region:other", error: null });
    const command = await insertJob("FAILED", { kind: "repair", subject: "repair" });
    const { retryJobs } = await app.ask(RETRY, { ids: [waits, command, failed] });
    expect(retryJobs).toEqual([
      { id: waits, job: null, refusal: "It is not failing: nothing of it is to be done again." },
      { id: command, job: null, refusal: "A command has run it: run that command again." },
      { id: failed, job: { id: expect.not.stringContaining(failed), state: expect.any(String) }, refusal: null },
    ]);
    expect((await app.ask("query ($id: ID!) { job(id: $id) { isFailing } }", { id: failed })).job.isFailing).toBe(
      false,
    );
    const { auditLog } = await app.ask(
      '{ auditLog(action: "retryJob") { edges { node { subjectKind subjectId outcome } } } }',
    );
    expect(auditLog.edges.map(({ node }: any) => node)).toEqual([
      { subjectKind: "JOB", subjectId: failed, outcome: "OK" },
      { subjectKind: "JOB", subjectId: command, outcome: "CONFLICT" },
      { subjectKind: "JOB", subjectId: waits, outcome: "CONFLICT" },
    ]);
    await home("delete from tenantry.jobs where subject in ('region:none', 'region:other', 'repair')");
  });

  test("that wait for the end of a grace period are not run early", async () => {
    const revoke = "mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }";
    await app.ask(revoke, { input: { placementId: placement, confirm: "Acme" } });
    const { jobs } = await app.ask(
      'query ($id: ID!) { jobs(placementId: $id, kind: "revoke-placement") { edges { node { id isRetriable } } } }',
      { id: placement },
    );
    expect(jobs.edges[0].node.isRetriable).toBe(false);
    const { retryJobs } = await app.ask(RETRY, { ids: [jobs.edges[0].node.id] });
    expect(retryJobs[0].refusal).toContain("not failing");
    const [row] = await home("select due_at > now() + interval '6 days' as waits from tenantry.jobs where id = $1", [
      jobs.edges[0].node.id,
    ]);
    expect(row?.["waits"]).toBe(true);
    await app.ask("mutation ($id: ID!) { resumeRegionAccess(placementId: $id) { state } }", { id: placement });
  });

  test("are at most 100 at once", async () => {
    const ids = Array.from({ length: 101 }, () => placement);
    expect(await app.refuse(RETRY, { ids })).toMatchObject({ code: "INVALID_INPUT", field: "ids" });
  });
});

describe("organizations", () => {
  const search = async (args: object, as?: string) => {
    const query = `query ($search: String, $regionKey: String) { organizations(search: $search, regionKey: $regionKey) {
      edges { node { id name memberCount bytes lastActivityAt } } } }`;
    return (await app.ask(query, args, as)).organizations.edges.map(({ node }: any) => node);
  };
  const namesOf = (found: { name: string }[]) => found.map(({ name }) => name);

  test("are found by how their name begins, by their id and by a region, by who may see them", async () => {
    expect(namesOf(await search({ search: "AC" }))).toEqual(["Acme", "acorn"]);
    expect(namesOf(await search({ search: "acm" }))).toEqual(["Acme"]);
    expect(namesOf(await search({ search: "a." }))).toEqual([]);
    expect(namesOf(await search({ search: other.toUpperCase() }))).toEqual(["acorn"]);
    expect(namesOf(await search({ regionKey: "eu" }))).toEqual(["Acme"]);
    expect(namesOf(await search({ search: "ac" }, stranger))).toEqual(["acorn"]);
    expect(namesOf(await search({ search: acme }, stranger))).toEqual([]);
  });

  test("say how big they are and when something was last done", async () => {
    const [found] = await search({ search: acme });
    expect(found).toMatchObject({ memberCount: 2, lastActivityAt: expect.any(String) });
    expect(found.bytes).toBeGreaterThan(1_000_000);
    // Of a shared database the size says something of others.
    expect((await search({ search: other }))[0].bytes).toBeNull();
  });
});

describe("a placement", () => {
  const CONTENT = `query ($id: ID!) { placement(id: $id) { createdAt updatedAt bytes
    content { problem tables { name flows columns rows isExact bytes } } } }`;
  const contentOf = async (id: string, as?: string) => (await app.ask(CONTENT, { id }, as)).placement;

  test("says where its tables lie and what is in them", async () => {
    const { bytes, content } = await contentOf(placement, owner);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(content.problem).toBeNull();
    expect(content.tables).toContainEqual(
      expect.objectContaining({ name: "app.comments", flows: "region", columns: [], rows: 2, isExact: true }),
    );
    expect(content.tables).toContainEqual(
      expect.objectContaining({
        name: "app.resources",
        flows: "catalog",
        rows: 1,
        columns: expect.arrayContaining(["name"]),
      }),
    );
    expect(content.tables).toContainEqual(expect.objectContaining({ flows: "directory", rows: null }));
  });

  test("in a shared database counts its own rows, and says nothing of the whole", async () => {
    const { bytes, content } = await contentOf(shared.id, owner);
    expect(bytes).toBeNull();
    const resources = content.tables.find(({ name }: { name: string }) => name === "app.resources");
    expect(resources).toMatchObject({ rows: 1, isExact: true, bytes: null });
  });

  test("is found by region, state and version", async () => {
    const list = async (args: string, as?: string) =>
      (await app.ask(`{ placements(${args}) { edges { node { id } } } }`, {}, as)).placements.edges.length;
    expect(await list('regionKey: "us"')).toBe(2);
    expect(await list('regionKey: "us"', stranger)).toBe(1);
    expect(await list("state: ACTIVE")).toBe(3);
    expect(await list("state: SUSPENDED")).toBe(0);
    expect(await list("schemaVersion: 0")).toBe(0);
  });

  test("shows its owners what crossed, and nothing where others' rows are in the sums", async () => {
    const query = "query ($id: ID!) { placement(id: $id) { crossed { edges { node { database table rows } } } } }";
    const crossed = await eventually(async () => {
      const { placement: seen } = await app.ask(query, { id: placement }, owner);
      return seen.crossed.edges.length > 0 ? seen.crossed.edges : undefined;
    }, 20_000);
    for (const { node } of crossed ?? []) expect(node.database).toBe(database);
    expect(crossed?.length).toBeGreaterThan(0);
    const { placement: others } = await app.ask(query, { id: shared.id }, owner);
    expect(others.crossed.edges).toEqual([]);
    const { border } = await app.ask(
      '{ border { days(days: 2, regionKey: "eu") { day direction rows bytes regionKey } } }',
    );
    expect(border.days.length).toBeGreaterThan(0);
    expect(await app.refuse("{ border { days(days: 91) { day } } }")).toMatchObject({ field: "days" });
  });
});

describe("a plan", () => {
  test("of a revocation says what would go, and changes nothing", async () => {
    const query = "query ($id: ID!) { revocationPlan(placementId: $id) { what sentences obstacles confirm } }";
    const { revocationPlan } = await app.ask(query, { id: placement }, owner);
    expect(revocationPlan).toMatchObject({ confirm: "Acme", obstacles: [] });
    expect(revocationPlan.sentences).toEqual([
      expect.stringMatching(new RegExp(`^The database ${database}, [\\d,]+ bytes, and its two links\\.$`)),
      "1 row of app.resources.",
      "2 rows of app.comments.",
      "What home's catalog shows of these rows.",
    ]);
    const { placement: after } = await app.ask("query ($id: ID!) { placement(id: $id) { state } }", { id: placement });
    expect(after.state).toBe("ACTIVE");
  });

  test("of an organization's end names every region, its members and keys", async () => {
    const query = "query ($id: ID!) { organizationDeletionPlan(organizationId: $id) { sentences obstacles confirm } }";
    const { organizationDeletionPlan: plan } = await app.ask(query, { id: acme }, owner);
    expect(plan.confirm).toBe("Acme");
    expect(plan.sentences).toContain("eu: 2 rows of app.comments.");
    expect(plan.sentences).toContain(`us: Its rows in the database ${shared.database}, which others go on using.`);
    expect(plan.sentences).toContain("2 memberships. The people stay.");
  });

  test("of a region's retirement says what keeps it", async () => {
    const query = "query ($key: String!) { regionRetirementPlan(key: $key) { obstacles confirm } }";
    const { regionRetirementPlan } = await app.ask(query, { key: "us" });
    expect(regionRetirementPlan).toEqual({
      obstacles: ["2 placements must be moved or revoked before."],
      confirm: "us",
    });
  });
});

describe("the fleet", () => {
  test("counts versions, and names databases that are behind or have failed", async () => {
    const { fleet } = await app.ask("{ fleet { target versions { version databases isTarget } run { left } } }");
    expect(fleet.versions).toEqual([{ version: fleet.target, databases: 2, isTarget: true }]);
    expect(fleet.run).toBeNull();
    await home(
      "update tenantry.tenant_databases set migration_failure = 'A lock', migration_failed_at = now() where name = $1",
      [database],
    );
    const { fleet: after } = await app.ask(
      "{ fleet { failed: databases(failed: true) { edges { node { database failure region { key } } } } behind: databases(behind: true) { edges { node { database } } } } }",
    );
    expect(after.failed.edges).toEqual([{ node: { database, failure: "A lock", region: { key: "eu" } } }]);
    expect(after.behind.edges).toEqual([]);
    await home("update tenantry.tenant_databases set migration_failure = null, migration_failed_at = null");
  });

  test("compares tenant databases page by page, with the difference", async () => {
    await sql(`${serverUrl("eu")}/${database}`, "alter table app.comments add column extra text");
    const query = `query ($first: Int, $after: String) { fleet { drift(first: $first, after: $after) {
      edges { node { database differences version } } pageInfo { hasNextPage endCursor } } } }`;
    const { fleet } = await app.ask(query, { first: 1 });
    expect(fleet.drift.pageInfo.hasNextPage).toBe(true);
    expect(fleet.drift.edges[0].node).toMatchObject({ database });
    expect(fleet.drift.edges[0].node.differences.join(" ")).toContain("extra");
    const { fleet: rest } = await app.ask(query, { first: 1, after: fleet.drift.pageInfo.endCursor });
    expect(rest.drift.edges[0].node).toMatchObject({ database: shared.database, differences: [] });
    expect(await app.refuse(query, { first: 21 })).toMatchObject({ code: "INVALID_INPUT", field: "first" });
    await sql(`${serverUrl("eu")}/${database}`, "alter table app.comments drop column extra");
  });
});

describe("the audit log", () => {
  const find = async (args: string, as?: string) =>
    (
      await app.ask(`{ auditLog(${args}) { edges { node { action who whoId subjectId regionKey at } } } }`, {}, as)
    ).auditLog.edges.map(({ node }: any) => node);

  test("is narrowed by action, caller, subject and time, at home and in regions", async () => {
    const made = await find(`organizationId: "${acme}", action: "createComment"`);
    expect(made).toHaveLength(2);
    expect(made[0]).toMatchObject({ action: "createComment", regionKey: "eu", who: "OPERATOR" });
    expect(await find(`organizationId: "${acme}", subjectId: "${made[0].subjectId}"`)).toEqual([made[0]]);
    expect(await find(`organizationId: "${acme}", whoId: "${stranger}"`)).toEqual([]);
    expect(await find(`organizationId: "${acme}", action: "createComment", from: "${made[0].at}"`)).toEqual([made[0]]);
    expect(await find(`organizationId: "${acme}", action: "createComment", to: "${made[0].at}"`)).toEqual([made[1]]);
    const granted = await find(`organizationId: "${acme}", action: "grantRegionAccess", who: OPERATOR`);
    expect(granted).toHaveLength(2);
    expect(await find(`organizationId: "${acme}", action: "grantRegionAccess", who: USER`)).toEqual([]);
    expect((await find('action: "registerRegion", subjectId: "us"')).length).toBe(1);
    expect(await find('from: "2100-01-01T00:00:00.000Z"')).toEqual([]);
    expect(await find('to: "1970-01-01T00:00:00.000Z"')).toEqual([]);
  });

  test("does not tell owners which operator it was, by a filter either", async () => {
    await home(
      "insert into tenantry.audit_log (id, organization_id, who, who_id, via, action, outcome) values ($2, $1, 'OPERATOR', 'secret-operator', 'TOKEN', 'renameOrganization', 'OK')",
      [acme, newId()],
    );
    const filter = `organizationId: "${acme}", whoId: "secret-operator"`;
    expect(await find(filter)).toHaveLength(1);
    expect(await find(filter, owner)).toEqual([]);
    const seen = await find(`organizationId: "${acme}", action: "renameOrganization"`, owner);
    expect(seen).toMatchObject([{ who: "OPERATOR", whoId: null }]);
  });
});
