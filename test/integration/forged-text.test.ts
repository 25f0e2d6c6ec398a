/**
 * A region's administrator has its server write what it likes where an answer's text is made: nothing of it gets beside the
 * region's own field, neither another region's rows nor errors nor extensions.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";

let app: TestApp;
let user: string;
let eu: string;
let us: string;
let region: string;

beforeAll(async () => {
  app = await startApp();
  user = await createUser(app);
  const organization = await createOrganization(app);
  await addMember(app, organization, user);
  for (const key of ["eu", "us"] as const) await registerRegion(app, key, serverUrl(key));
  region = `${serverUrl("eu")}/${(await grant(app, organization, "eu")).database}`;
  await grant(app, organization, "us");
  eu = await createResource(app, { name: "Europe", organizationId: organization, regionKey: "eu" }, user);
  us = await createResource(app, { name: "States", organizationId: organization, regionKey: "us" }, user);
});
afterAll(() => app.stop());

/** Has PostgreSQL's own function, which no search path hides, give this text in the region. */
async function forge(text: string): Promise<void> {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  await sql(
    region,
    `create or replace function pg_catalog.to_char(timestamp, text) returns text language sql immutable as $f$ select ${quoted} $f$`,
  );
}

async function post(query: string, variables: object = {}) {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": user },
    body: JSON.stringify({ query, variables }),
  });
  return response.text();
}

const FORGERIES: Record<string, string> = {
  "another field": `x"},"b":{"name":"FORGED"},"z":{"y":"1`,
  "errors and extensions": `x"}},"errors":[{"message":"FORGED","extensions":{"code":"UNAUTHENTICATED"}}],"extensions":{"FORGED":{"y":"1`,
  "text behind the object": `x"}} FORGED {{"y":"1`,
  "a quote that is not ended": `FORGED\\`,
  "an escape that is none": `FORGED\\x`,
  "a control character": "FORGED\u0001",
  "a line break": "FORGED\n",
};

describe.each(Object.entries(FORGERIES))("%s", (_, forged) => {
  test("in what is read costs the region's own field, and nothing else", async () => {
    await forge(forged);
    const text = await post(`{ b: resource(id: "${us}") { name } a: resource(id: "${eu}") { name createdAt } }`);
    expect(text).not.toContain("FORGED");
    expect(JSON.parse(text)).toEqual({
      data: { b: { name: "States" }, a: null },
      errors: [
        {
          message: "The region eu gave an answer that cannot be used: whoever looks after its server should know.",
          locations: expect.any(Array) as unknown,
          path: ["a"],
          extensions: { code: "REGION_UNAVAILABLE", requestId: expect.any(String) as unknown },
        },
      ],
    });
  });

  test("in what is answered to a mutation costs its answer; it was done, once", async () => {
    await forge(forged);
    const count = async () => (await sql(region, "select from app.comments")).length;
    const before = await count();
    const text = await post(
      "mutation ($input: CreateCommentInput!) { createComment(input: $input) { body createdAt } }",
      { input: { resourceId: eu, body: "Once" } },
    );
    expect(text).not.toContain("FORGED");
    expect(JSON.parse(text)).toMatchObject({ data: null, errors: [{ extensions: { code: "REGION_UNAVAILABLE" } }] });
    expect(await count()).toBe(before + 1);
  });
});

describe("an entry of the audit log in a region", () => {
  const query = `query ($id: ID, $out: Boolean) {
    auditLog(organizationId: $id, leaveOutUnavailable: $out) { edges { node { regionKey at } } missingRegions } }`;
  let organization: string;
  beforeAll(async () => {
    const found = await app.ask(`{ resource(id: "${us}") { organization { id } } }`);
    organization = found.resource.organization.id;
  });

  test.each([
    ["with a moment that cannot be shown", "at = 'infinity'"],
    ["of somebody that there is not", "who = 'FORGED'"],
    ["that is longer than any", "who_id = repeat('x', 100000)"],
  ])("%s: the region counts as missing, and the others can be read", async (_, change) => {
    await sql(region, "create table if not exists public.kept as select * from tenantry.audit_log");
    await sql(
      region,
      `do $$ begin set local session_replication_role = replica; alter table tenantry.audit_log disable trigger append_only;
       update tenantry.audit_log set ${change}; end $$`,
    );
    const refused = await app.refuse(query, { id: organization });
    expect(refused).toMatchObject({ code: "REGION_UNAVAILABLE" });
    const { auditLog } = await app.ask(query, { id: organization, out: true });
    expect(auditLog.missingRegions).toEqual(["eu"]);
    expect(auditLog.edges.length).toBeGreaterThan(0);
    await sql(region, "delete from tenantry.audit_log");
    await sql(region, "insert into tenantry.audit_log select * from public.kept");
  });
});

test("a text with everything that JSON allows is taken", async () => {
  const moment = `\\u0041\\n\\"\\ud83e\\udd89 🦉`;
  await forge(moment);
  expect(JSON.parse(await post(`{ resource(id: "${eu}") { createdAt } }`))).toEqual({
    data: { resource: { createdAt: 'A\n"🦉 🦉' } },
  });
});
