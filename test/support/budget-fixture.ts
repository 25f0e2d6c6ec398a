/** Twenty-five of everything that lists hold, for counting what they cost. */
import { randomUUID } from "node:crypto";
import { forEachLimit } from "../../src/base/kernel/semaphore.ts";
import { serverUrl, sql, startApp, type TestApp } from "./app.ts";
import { countAtBorder } from "./border.ts";
import { addMember, createOrganization, createResource, createUser, grant, registerRegion } from "./journey.ts";
import { invite } from "./organization-fixture.ts";
import { createApiKey } from "./signed-in.ts";

/** How many there are of each. */
export const MOST_ROWS = 25;

export type BudgetFixture = {
  /** Without a worker, so that what is sent is sent for who asks. */
  api: TestApp;
  /** An owner of every organization. */
  owner: string;
  /** One with 25 of everything; each of the others has a placement and a resource of its own. */
  organization: string;
  ids: Record<"user" | "organization" | "placement" | "resource" | "resourceAtHome", string[]>;
  regionKeys: string[];
  /** Leaves so many regions in the list. */
  keepRegions: (count: number) => Promise<void>;
  stop: () => Promise<void>;
};

const each = Array.from({ length: MOST_ROWS }, (_, index) => index);

export async function startBudgetFixture(): Promise<BudgetFixture> {
  const setup = await startApp();
  await registerRegion(setup, "eu", serverUrl("eu"));
  await registerRegion(setup, "us", serverUrl("us"));
  const owner = await createUser(setup, "Owner");
  const organizations: string[] = [];
  const resources: string[] = [];
  const atHome: string[] = [];
  for (const index of each) {
    const id = await createOrganization(setup, `Organization ${index}`, owner);
    organizations.push(id);
    await grant(setup, id, "eu", "SHARED");
    await invite(setup, id, `guest${index}@example.com`);
  }
  const [organization = ""] = organizations;
  await forEachLimit(each, 5, async (index) => {
    const user = await createUser(setup, `Member${index}`);
    await addMember(setup, organization, user);
    await invite(setup, organization, `another${index}@example.com`);
    await createApiKey(setup, { organizationId: organization, role: "MEMBER" });
    resources.push(await createResource(setup, { name: `Resource ${index}`, organizationId: organization }, owner));
    if (index > 0) await createResource(setup, { name: "One", organizationId: organizations[index] ?? "" }, owner);
    atHome.push(await createResource(setup, { name: `At home ${index}` }, owner));
  });
  const { databaseUrl, secretKey } = setup;
  await addComments(databaseUrl);
  await addRecords(setup);
  await countAtBorder(setup, MOST_ROWS);
  // What comes and goes by itself has ended, and is not counted.
  await setup.stop();
  const limits = { maxCost: 1e9, maxAliases: 100, maxRootFields: 100, actorPointsPerSecond: 0 };
  const api = await startApp({
    databaseUrl,
    secretKey,
    role: "api",
    api: { limits: { ...limits, organizationPointsPerSecond: 0 } },
  });
  const idsOf = async (table: string) =>
    (await sql<{ id: string }>(databaseUrl, `select id from tenantry.${table} order by id limit ${MOST_ROWS}`)).map(
      ({ id }) => id,
    );
  const regions = await sql<{ key: string }>(databaseUrl, "select key from tenantry.regions order by key");
  return {
    api,
    owner,
    organization,
    ids: {
      user: await idsOf("users"),
      organization: organizations,
      placement: await idsOf("placements"),
      resource: resources,
      resourceAtHome: atHome,
    },
    regionKeys: regions.map(({ key }) => key),
    keepRegions: async (count) => {
      await sql(
        databaseUrl,
        `update tenantry.regions r set retired_at = case when n.position > $1 then now() end
         from (select id, row_number() over (order by key) as position from tenantry.regions) n where n.id = r.id`,
        [count],
      );
    },
    stop: api.stop,
  };
}

/** To every resource as many as it takes, written by the organization's members in turn. */
async function addComments(databaseUrl: string): Promise<void> {
  const [shared] = await sql<{ name: string }>(
    databaseUrl,
    "select name from tenantry.tenant_databases where isolation = 'SHARED'",
  );
  await sql(
    `${serverUrl("eu")}/${shared?.name}`,
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select gen_random_uuid(), r.database_id, r.organization_id, r.id, m.user_id, 'A note'
     from app.resources r cross join generate_series(0, ${MOST_ROWS - 1}) n
     cross join lateral (
       select user_id from tenantry.directory_members m where m.organization_id = r.organization_id
       order by user_id offset n % (select count(*) from tenantry.directory_members o
                                    where o.organization_id = r.organization_id) limit 1) m`,
  );
  await sql(
    databaseUrl,
    `insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
     select gen_random_uuid(), r.database_id, r.organization_id, r.id, u.id, 'A note'
     from app.resources r, tenantry.users u`,
  );
}

/** Regions, placements and jobs that home knows; nothing is behind them, but the regions' server answers. */
async function addRecords({ databaseUrl, services }: TestApp): Promise<void> {
  for (const index of each.slice(2)) {
    const id = randomUUID();
    await sql(
      databaseUrl,
      `insert into tenantry.regions (id, key, name, connection_url, host, port, system_identifier, server_version, subscription_method)
       select $1, $2, $2, $3, host, port, $2, server_version, subscription_method from tenantry.regions where key = 'eu'`,
      [id, `other-${String(index).padStart(2, "0")}`, services.secrets.seal(serverUrl("eu"), id)],
    );
  }
  await sql(
    databaseUrl,
    `with database as (
       insert into tenantry.tenant_databases (region_id, isolation, name, engine_version, app_version)
       select r.id, 'DEDICATED', 'imagined_' || n, 1, 0 from tenantry.regions r, generate_series(1, ${MOST_ROWS}) n
       where r.key = 'us' returning *
     )
     insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
     select gen_random_uuid(), o.id, d.region_id, d.id, d.isolation, 'ACTIVE'
     from (select *, row_number() over (order by id) as n from tenantry.organizations) o
     join (select *, row_number() over (order by id) as n from database) d on d.n = o.n - 1`,
  );
  await sql(
    databaseUrl,
    `with job as (
       insert into tenantry.jobs (id, kind, subject, requested_by, state, organization_id)
       -- Newer than those that made the fixture: the newest are listed.
       select overlay(gen_random_uuid()::text placing 'f' from 1)::uuid, 'repair', 'database:' || o.id, 'system', 'DONE', o.id
       from tenantry.organizations o
       returning id
     )
     insert into tenantry.job_steps (job_id, name)
     select id, 'step ' || n from job, generate_series(1, 3) n`,
  );
}
