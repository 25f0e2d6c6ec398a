/**
 * A statement's setting for row-level security is there before a plan is chosen and a row is looked at, whatever the plan is, and
 * without it there are no rows. On real plans, as the API's role, in a database of one organization and in a shared one.
 */
import { randomUUID } from "node:crypto";
import type { PoolClient } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Scope, scopedText } from "#base/postgres/scope";
import { organizationScope, type TenantRoute } from "#engine/routing/routing";
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

const OTHERS = 300;

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
});
afterAll(() => app.stop());

type Tenant = { organization: string; user: string; resource: string; route: TenantRoute; database: string };

async function tenant(name: string, isolation: "DEDICATED" | "SHARED"): Promise<Tenant> {
  const organization = await createOrganization(app, name);
  const user = await createUser(app, name);
  await addMember(app, organization, user);
  const { database } = await grant(app, organization, "eu", isolation);
  const resource = await createResource(app, { name: `${name}'s`, organizationId: organization });
  for (let index = 0; index < 3; index += 1) await comment(app, resource, user, `${name} ${index}`);
  const [route] = await app.services.router.routesOf(organization);
  if (route === undefined) throw new Error("there is no route");
  return { organization, user, resource, route, database };
}

/** Shapes of plans that the planner would not choose for so few rows, too. */
const SHAPES: Record<string, Record<string, string>> = {
  "as the planner likes": {},
  "sequential scans and hash joins": {
    enable_indexscan: "off",
    enable_bitmapscan: "off",
    enable_nestloop: "off",
    enable_mergejoin: "off",
  },
  "index scans and nested loops": {
    enable_seqscan: "off",
    enable_bitmapscan: "off",
    enable_hashjoin: "off",
    enable_mergejoin: "off",
  },
  "bitmaps and merge joins": {
    enable_seqscan: "off",
    enable_indexscan: "off",
    enable_nestloop: "off",
    enable_hashjoin: "off",
  },
  "parallel workers": {
    parallel_setup_cost: "0",
    parallel_tuple_cost: "0",
    min_parallel_table_scan_size: "0",
    min_parallel_index_scan_size: "0",
    max_parallel_workers_per_gather: "2",
  },
};

const READ = `select c.id, c.organization_id, r.name from app.resources r join app.comments c on c.resource_id = r.id
  where c.body like $1 order by c.id`;

describe.each(["DEDICATED", "SHARED"] as const)("%s", (isolation) => {
  let own: Tenant;
  let other: Tenant;
  let client: PoolClient;
  beforeAll(async () => {
    own = await tenant("Own", isolation);
    other = await tenant("Other", isolation);
    // So that a plan is worth something.
    await sql(
      `${serverUrl("eu")}/${own.database}`,
      `insert into app.resources (database_id, id, organization_id, name)
       select database_id, gen_random_uuid(), $1, 'Filler' from tenantry.identity, generate_series(1, $2::int)`,
      [own.organization, OTHERS],
    );
    await sql(`${serverUrl("eu")}/${own.database}`, "analyze");
    client = await own.route.openUnscoped().pool.connect();
  });
  afterAll(() => {
    client?.release(true);
  });

  const scopeOf = ({ organization, route }: Tenant): Scope => organizationScope(organization, route.placementNumber);
  const made = (text: string, count: number, scope: Scope): string => {
    const scoped = scopedText(text, count, [scope]);
    if (scoped === undefined) throw new Error("the text takes no setting");
    return scoped.text;
  };
  const ask = async (text: string, values: readonly unknown[], whose: Tenant, name?: string) => {
    const scope = scopeOf(whose);
    const all = { text: made(text, values.length, scope), values: [...values, scope.value] };
    return (await client.query<Record<string, unknown>>(name === undefined ? all : { ...all, name })).rows;
  };
  /** Of a statement that is prepared, with one text as its value; `scope`: undefined where it is to have none. */
  const planOf = async (text: string, mode: string, scope: Scope | undefined): Promise<string> => {
    const values = ["Own%", ...(scope === undefined ? [] : [scope.value])].map((value) => `'${value}'`);
    await client.query(`prepare probe as ${scope === undefined ? text : made(text, 1, scope)}`);
    await client.query(`set plan_cache_mode = ${mode}`);
    const { rows } = await client.query<{ "QUERY PLAN": string }>(
      `explain (verbose, costs off) execute probe(${values.join(", ")})`,
    );
    await client.query("reset plan_cache_mode");
    await client.query("deallocate probe");
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  };
  const MODES = ["force_custom_plan", "force_generic_plan"] as const;

  describe.each(Object.entries(SHAPES))("%s", (shape, settings) => {
    beforeAll(async () => {
      for (const [name, value] of Object.entries(settings)) await client.query(`set ${name} = '${value}'`);
      return async () => {
        for (const name of Object.keys(settings)) await client.query(`reset ${name}`);
        await client.query("deallocate all");
      };
    });

    test.each(MODES)("shows the organization's rows and no others: %s", async (mode) => {
      await client.query(`set plan_cache_mode = ${mode}`);
      const name = `${shape} ${mode}`.replaceAll(" ", "_").slice(0, 60);
      for (let index = 0; index < 3; index += 1) {
        const rows = await ask(READ, ["Own%"], own, name);
        expect(rows).toHaveLength(3);
        expect(new Set(rows.map((row) => row["organization_id"]))).toEqual(new Set([own.organization]));
        expect(await ask(READ, ["Other%"], own, name)).toEqual([]);
      }
      // The same statement for another organization: a plan that is kept has nobody's scope in it.
      expect(await ask(READ, ["Other%"], other, name)).toHaveLength(isolation === "SHARED" ? 3 : 0);
      await client.query("reset plan_cache_mode");
    });

    test("shows nothing without a scope", async () => {
      expect((await client.query(READ, ["%"])).rows).toEqual([]);
    });

    test.each(MODES)("the setting is no part of the plan, so no plan can come to it too late: %s", async (mode) => {
      const plan = await planOf(READ, mode, scopeOf(own));
      expect(plan).toContain("current_setting('tenantry.scope'");
      expect(plan).not.toContain("tenantry_settings");
      expect(plan).not.toContain("set_config");
      expect(plan).toBe(await planOf(READ, mode, undefined));
    });

    test("changes and deletes the organization's rows only, and writes none for another", async () => {
      const insert = `insert into app.comments (database_id, id, organization_id, resource_id, author_id, body)
        select database_id, $1, $2, $3, $4, 'Planted' from tenantry.identity`;
      await expect(ask(insert, [randomUUID(), other.organization, other.resource, other.user], own)).rejects.toThrow(
        "row-level",
      );
      await client.query("begin");
      const text = (what: string) => `with touched as (${what} returning organization_id) select * from touched`;
      for (const what of ["update app.comments set body = body || ''", "delete from app.comments"]) {
        const rows = await ask(text(what), [], own);
        expect(new Set(rows.map((row) => row["organization_id"]))).toEqual(new Set([own.organization]));
      }
      await client.query("rollback");
      expect((await client.query("delete from app.comments returning id")).rows).toEqual([]);
    });
  });

  test("the setting is there before the statement is planned, and gone behind it", async () => {
    await sql(
      `${serverUrl("eu")}/${own.database}`,
      `create function public.while_planning() returns text language sql immutable return current_setting('tenantry.scope', true)`,
    );
    const plan = await planOf(
      `select $1::text from app.comments where body = public.while_planning()`,
      "auto",
      scopeOf(own),
    );
    // The function counts as one that always gives the same, so the planner has called it.
    expect(plan).toContain(`'${scopeOf(own).value}'`);
    const { rows } = await client.query<{ scope: string | null }>(
      "select current_setting('tenantry.scope', true) as scope",
    );
    expect(rows[0]?.scope ?? "").toBe("");
    await sql(`${serverUrl("eu")}/${own.database}`, "drop function public.while_planning()");
  });

  test("a statement that lost its setting on the way is refused", async () => {
    await expect(client.query(made(READ, 1, scopeOf(own)), ["Own%"])).rejects.toMatchObject({ code: "08P01" });
  });
});

test("every statement of content that the API prepares has the setting", async () => {
  const { resource, user, route } = await tenant("Prepared", "DEDICATED");
  const askForEach = async () => {
    const id = await comment(app, resource, user, "Comment");
    await app.ask(
      "query ($id: ID!) { resource(id: $id) { name comments(first: 5) { edges { node { body } } } } }",
      { id: resource },
      user,
    );
    await app.ask(
      "mutation ($input: UpdateCommentInput!) { updateComment(input: $input) { body } }",
      { input: { commentId: id, body: "New" } },
      user,
    );
    await app.ask(
      "mutation ($input: DeleteCommentInput!) { deleteComment(input: $input) }",
      { input: { commentId: id } },
      user,
    );
  };
  // Each connection knows its own, and any of them may be the one that is asked.
  let held: { statement: string; types: string[] }[] = [];
  await eventually(async () => {
    await askForEach();
    held = await route
      .openUnscoped()
      .query<{ statement: string; types: string[] }>(
        "test.prepared",
        "select statement, parameter_types::text[] as types from pg_prepared_statements where statement like '%app.%'",
      );
    return held.length >= 2;
  });
  // Those that add and read: what an optional condition is in is planned each time.
  expect(held.length).toBeGreaterThanOrEqual(2);
  for (const { statement, types } of held) expect(types.at(-1), statement).toBe("tenantry.sets_scope");
});
