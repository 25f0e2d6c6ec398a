/**
 * The links of one tenant database against a model: random commands, nudges doubled and lost, parts dropped, workers
 * ended, transactions left open, the carrier stopped and started. A write that is answered without a word about lag is
 * in the copy; and whatever came before, in the end the copies equal the sources and rest.
 */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser, eventually, grant, registerRegion } from "../support/journey.ts";
import { ModelCommand } from "../support/model-command.ts";
import { placementNumber, routedIdSql } from "../support/routed-id.ts";

/** What the sources hold: names of resources in the region, names of members at home. */
type Model = {
  resources: Set<string>;
  members: Map<string, string>;
  /** Written in the region by transactions that have not ended. */
  open: { name: string; client: pg.Client }[];
  /** A region's publication that somebody drops is missed by the next check, not by the next write. */
  mayMissWrites: boolean;
};
type Real = { organization: string; database: string; number: number; tenant: string; users: string[] };

const OPTIONS = {
  sweepIntervalMs: 300,
  // Wakes that meet a lock are dear: what rests then is to rest soon all the same.
  carrier: { idleMs: 80, slowIdleMs: 1_000, stallMs: 2_000, retryMs: 50, maxRetryMs: 300 },
  limits: { maxRetainedBytes: 1_000_000, maxAgeMs: 500 },
};

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ replication: OPTIONS });
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

type Run = (model: Model, real: Real) => Promise<unknown>;

const link = ({ database }: Real, direction: "catalog" | "directory") => `${database}_${direction}`;
const quietly = (work: Promise<unknown>) => work.catch(() => undefined);

async function nudge({ database }: Real, direction: string): Promise<void> {
  await sql(
    app.databaseUrl,
    "select pg_notify('tenantry_nudge', id || ' ' || $2) from tenantry.tenant_databases where name = $1",
    [database, direction],
  );
}

async function dropSubscription(url: string, name: string): Promise<void> {
  await sql(url, `alter subscription ${name} disable`);
  await sql(url, `alter subscription ${name} set (slot_name = none)`);
  await sql(url, `drop subscription ${name}`);
}

const insertInto = ({ number }: Real) => `insert into app.resources (database_id, id, organization_id, name)
  select database_id, ${routedIdSql(number)}, $1, $2 from tenantry.identity`;

/** Makes a resource through the API; whether the answer said that something has not arrived. */
async function createAndHearOfLag(organizationId: string, name: string): Promise<boolean> {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      query: "mutation ($input: CreateResourceInput!) { createResource(input: $input) { id } }",
      variables: { input: { name, organizationId } },
    }),
  });
  const { errors, extensions } = (await response.json()) as { errors?: unknown; extensions?: object };
  expect(errors).toBeUndefined();
  return extensions !== undefined && "replicationLag" in extensions;
}

async function commitOldest(model: Model): Promise<void> {
  const oldest = model.open.shift();
  if (oldest === undefined) return;
  await oldest.client.query("commit");
  await oldest.client.end();
  model.resources.add(oldest.name);
}

const COMMANDS: [string, Run][] = [
  [
    "resource through the API",
    async (model, { organization }) => {
      const name = randomUUID();
      const isLate = await createAndHearOfLag(organization, name);
      model.resources.add(name);
      if (isLate || model.mayMissWrites) return;
      expect(await sql(app.databaseUrl, "select from catalog.resources where name = $1", [name])).toHaveLength(1);
    },
  ],
  [
    "resource through the API that cannot arrive",
    async (model, { organization }) => {
      const name = randomUUID();
      const blocker = new pg.Client({ connectionString: app.databaseUrl });
      await blocker.connect();
      try {
        await blocker.query("begin");
        await blocker.query("lock table catalog.resources in share row exclusive mode");
        expect((await createAndHearOfLag(organization, name)) || model.mayMissWrites).toBe(true);
      } finally {
        await blocker.end();
      }
      model.resources.add(name);
    },
  ],
  [
    "resource by hand",
    async (model, real) => {
      const name = randomUUID();
      await sql(real.tenant, insertInto(real), [real.organization, name]);
      model.resources.add(name);
    },
  ],
  [
    "resource by hand, not committed yet",
    async (model, real) => {
      const name = randomUUID();
      const client = new pg.Client({ connectionString: real.tenant });
      await client.connect();
      await client.query("begin");
      await client.query(insertInto(real), [real.organization, name]);
      model.open.push({ name, client });
    },
  ],
  ["commit what is open for longest", commitOldest],
  [
    "delete a resource by hand",
    async (model, { tenant }) => {
      const [name] = model.resources;
      if (name === undefined) return;
      await sql(tenant, "delete from app.resources where name = $1", [name]);
      model.resources.delete(name);
    },
  ],
  [
    "member through the API",
    async (model, { organization, users }) => {
      const user = users[model.members.size % users.length] ?? "";
      await addMember(app, organization, user);
      model.members.set(user, "Member");
    },
  ],
  [
    "member leaves, by hand",
    async (model, { organization }) => {
      const [user] = model.members.keys();
      if (user === undefined) return;
      await sql(app.databaseUrl, "delete from tenantry.memberships where organization_id = $1 and user_id = $2", [
        organization,
        user,
      ]);
      model.members.delete(user);
    },
  ],
  [
    "doubled nudge",
    async (_, real) => Promise.all(["catalog", "catalog", "directory", "directory"].map((one) => nudge(real, one))),
  ],
  ["sweep", () => quietly(app.sweep())],
  [
    "drop the catalog's slot",
    (_, real) => quietly(sql(real.tenant, "select pg_drop_replication_slot($1)", [link(real, "catalog")])),
  ],
  [
    "drop the directory's slot",
    (_, real) => quietly(sql(app.databaseUrl, "select pg_drop_replication_slot($1)", [link(real, "directory")])),
  ],
  ["drop the catalog's subscription", (_, real) => quietly(dropSubscription(app.databaseUrl, link(real, "catalog")))],
  ["drop the directory's subscription", (_, real) => quietly(dropSubscription(real.tenant, link(real, "directory")))],
  [
    "drop the catalog's publication",
    (model, real) => {
      model.mayMissWrites = true;
      return quietly(sql(real.tenant, `drop publication ${link(real, "catalog")}`));
    },
  ],
  [
    "drop the directory's publication",
    (_, real) => quietly(sql(app.databaseUrl, `drop publication ${link(real, "directory")}`)),
  ],
  ["enable by hand", (_, real) => quietly(sql(app.databaseUrl, `alter subscription ${link(real, "catalog")} enable`))],
  ["disable by hand", (_, real) => quietly(sql(real.tenant, `alter subscription ${link(real, "directory")} disable`))],
  [
    "end the workers",
    async (_, { tenant }) =>
      Promise.all(
        [tenant, app.databaseUrl].map((url) =>
          sql(
            url,
            "select pg_terminate_backend(pid) from pg_stat_activity where backend_type like 'logical replication apply%' and datname = current_database()",
          ),
        ),
      ),
  ],
  [
    "another carrier",
    async () => {
      const { databaseUrl, secretKey } = app;
      await app.stop();
      app = await startApp({ databaseUrl, secretKey, replication: OPTIONS });
    },
  ],
];

/** What of the real world differs from the model, or does not rest. */
async function differences(model: Model, real: Real): Promise<string[]> {
  const names = async (url: string, text: string) =>
    (await sql<{ name: string }>(url, text, [real.organization])).map(({ name }) => name);
  const catalog = await names(
    app.databaseUrl,
    "select name from catalog.resources where organization_id = $1 order by name",
  );
  const directory = await names(
    real.tenant,
    "select user_id::text as name from tenantry.directory_members where organization_id = $1 order by 1",
  );
  const awake = await sql(app.databaseUrl, "select from pg_subscription where subname like $1 || '%' and subenabled", [
    `${real.database}_`,
  ]);
  const found: string[] = [];
  if (catalog.join() !== [...model.resources].toSorted().join()) found.push(`catalog: ${catalog.join()}`);
  if (directory.join() !== [...model.members.keys()].toSorted().join()) found.push(`directory: ${directory.join()}`);
  if (awake.length > 0) found.push("the catalog is awake");
  return found;
}

test("random commands end in agreement and rest", async () => {
  const command = fc.constantFrom(...COMMANDS).map(([name, run]) => new ModelCommand(name, run));
  await fc.assert(
    fc.asyncProperty(fc.commands([command], { maxCommands: 12, size: "max" }), async (commands) => {
      const organization = await createOrganization(app, "Modelled");
      const { database } = await grant(app, organization, "eu");
      const users = [await createUser(app, "Member"), await createUser(app, "Member")];
      const model: Model = { resources: new Set(), members: new Map(), open: [], mayMissWrites: false };
      const number = await placementNumber(app.databaseUrl, organization, database);
      const real: Real = { organization, database, number, tenant: `${serverUrl("eu")}/${database}`, users };
      try {
        await fc.asyncModelRun(() => ({ model, real }), commands);
      } finally {
        while (model.open.length > 0) await commitOldest(model);
      }
      // At rest a link still wakes for a moment when the sweep checks it: agreement and rest at one look is enough.
      let last = ["nothing was looked at"];
      await eventually(async () => {
        last = await differences(model, real);
        return last.length === 0;
      }, 45_000);
      expect(last).toEqual([]);
    }),
    { numRuns: 20, endOnFailure: true },
  );
}, 240_000);
