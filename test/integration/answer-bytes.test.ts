/**
 * Answers are bounded in bytes in every way that they are made and sent: a few kilobytes that are asked for under many names
 * are few in a database and many in an answer.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { entriesOf } from "../support/audit.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { firstErrorOver, socketClient, TRANSPORTS } from "../support/transports.ts";

const MAX_BYTES = 200_000;
const BODY = "🦉".repeat(2_000);
const TOO_LARGE = /^The answer is larger than 200,000 bytes/;
const REFUSED = { code: "LIMIT_EXCEEDED", message: expect.stringMatching(TOO_LARGE) as string };

let app: TestApp;
let user: string;
let organization: string;
let region: string;
const resources: Record<string, string> = {};

beforeAll(async () => {
  const unbounded = { actorPointsPerSecond: 0, organizationPointsPerSecond: 0, maxAliases: 100 };
  app = await startApp({ api: { limits: { ...unbounded, maxAnswerBytes: MAX_BYTES } } });
  user = await createUser(app);
  organization = await createOrganization(app);
  await addMember(app, organization, user);
  await registerRegion(app, "eu", serverUrl("eu"));
  region = `${serverUrl("eu")}/${(await grant(app, organization, "eu")).database}`;
  resources["a region"] = await createResource(app, { name: "Big", organizationId: organization }, user);
  resources["home"] = await createResource(app, { name: "Big" }, user);
  for (const id of Object.values(resources))
    for (let index = 0; index < 5; index += 1) await comment(app, id, user, BODY);
});
afterAll(() => app.stop());

/** Five comments of 8 kB, so many times each. */
const bodies = (times: number) => Array.from({ length: times }, (_, at) => `b${at}: body`).join(" ");
const list = (id: string, times: number) =>
  `{ resource(id: "${id}") { comments { edges { node { ${bodies(times)} } } } } }`;
const headers = () => ({ "x-user-id": user });

async function post(query: unknown, accept = "application/json") {
  const response = await fetch(`${app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", accept, ...headers() },
    body: JSON.stringify(query),
  });
  return { status: response.status, text: await response.text() };
}

describe.each(["a region", "home"])("in %s", (where) => {
  const id = () => resources[where] ?? "";

  test.each(TRANSPORTS)(
    "a query over %s is refused as a whole, and one that is small enough is not",
    async (transport) => {
      expect(await firstErrorOver(transport, app, { query: list(id(), 30), headers: headers() })).toMatchObject(
        REFUSED,
      );
      expect(await firstErrorOver(transport, app, { query: list(id(), 4), headers: headers() })).toBeUndefined();
    },
  );

  test.each([
    ["planned", "application/json"],
    ["ordinary", "application/json; charset=utf-8"],
  ])("the %s way sends nothing of it", async (_, accept) => {
    const { text } = await post({ query: list(id(), 30) }, accept);
    expect(text.length).toBeLessThan(1_000);
    expect(JSON.parse(text)).toMatchObject({ errors: [{ extensions: { code: "LIMIT_EXCEEDED" } }] });
    const whole = await post({ query: list(id(), 4) }, accept);
    expect(Buffer.byteLength(whole.text)).toBeGreaterThan(160_000);
    expect(Buffer.byteLength(whole.text)).toBeLessThanOrEqual(MAX_BYTES);
  });

  test("several fields at the root count together", async () => {
    const field = (name: string) => `${name}: resource(id: "${id()}") { comments { edges { node { ${bodies(3)} } } } }`;
    expect(
      await firstErrorOver("HTTP", app, { query: `{ ${field("a")} ${field("b")} }`, headers: headers() }),
    ).toMatchObject(REFUSED);
  });

  test.each([
    ["planned", "application/json"],
    ["ordinary", "application/json; charset=utf-8"],
  ])(
    "a mutation whose answer is too large, the %s way: it is said that it was carried out, and it was, once",
    async (_, accept) => {
      const database = where === "home" ? app.databaseUrl : region;
      const count = async () => (await sql(database, "select from app.comments where resource_id = $1", [id()])).length;
      const before = await count();
      const query = `mutation ($input: CreateCommentInput!) { made: createComment(input: $input) { ${bodies(60)} } }`;
      const { text } = await post({ query, variables: { input: { resourceId: id(), body: BODY } } }, accept);
      const { errors } = JSON.parse(text) as { errors: { message: string }[] };
      expect(errors[0]?.message).toMatch(TOO_LARGE);
      expect(errors[0]?.message).toMatch(/made was carried out/);
      expect(await count()).toBe(before + 1);
      await sql(
        database,
        "delete from app.comments where resource_id = $1 and id = (select max(id::text)::uuid from app.comments where resource_id = $1)",
        [id()],
      );
    },
  );

  test("an event that is too large is the last one, as an error", async () => {
    const query = `subscription { commentAdded(resourceId: "${id()}") { ${bodies(60)} } }`;
    const client = socketClient(app.url, headers());
    const events = client.iterate({ query });
    const first = events.next();
    const following = await fetch(`${app.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", ...headers() },
      body: JSON.stringify({ query }),
    });
    // Whoever follows by the socket may still be on the way.
    let done = false;
    const writing = (async () => {
      while (!done) await comment(app, id(), user, BODY);
    })();
    const [event, stream] = await Promise.all([first, following.text()]);
    done = true;
    await writing;
    expect(event.value).toMatchObject({
      errors: [{ message: REFUSED.message, extensions: { code: "LIMIT_EXCEEDED" } }],
    });
    expect(await events.next()).toMatchObject({ done: true });
    expect(stream).toContain("The answer is larger than 200,000 bytes");
    expect(stream).toMatch(/event: complete/);
    await client.dispose();
  });
});

describe("comments of many resources", () => {
  const ask = (fields: string) =>
    app.ask(
      `query ($id: ID) { resources(organizationId: $id) { edges { node { comments { edges { node { ${fields} } } } } } } }`,
      { id: organization },
      user,
    );
  beforeAll(async () => {
    for (let count = 0; count < 6; count += 1) {
      const id = await createResource(app, { name: "Big", organizationId: organization }, user);
      for (let index = 0; index < 5; index += 1) await comment(app, id, user, BODY);
    }
  });

  test("are refused where their bodies are asked for, before they leave the database", async () => {
    await expect(ask("...on Comment { text: body }")).rejects.toThrow(
      /^unexpected errors: \[\{"message":"The answer is larger than 200,000 bytes: ask for fewer rows or fields, or in parts."[^{]*\{"code":"LIMIT_EXCEEDED","requestId":"[^"]+"\}\}\]$/,
    );
  });

  test("and answered where they are not", async () => {
    const { resources: found } = await ask("id author { name }");
    expect(found.edges.flatMap(({ node }: any) => node.comments.edges).length).toBeGreaterThanOrEqual(30);
  });
});

test("what was done is in the audit log as done", async () => {
  const entries = await entriesOf(app, organization);
  expect(entries.filter(({ action }) => action === "createComment")).not.toHaveLength(0);
  expect(entries.filter(({ outcome }) => outcome !== "OK")).toEqual([]);
});

test("the operations of one request count together", async () => {
  const one = { query: list(resources["home"] ?? "", 3) };
  const { text } = await post([one, one, one]);
  const answers = JSON.parse(text) as { data?: unknown; errors?: { extensions: { code: string } }[] }[];
  const refused = answers.filter(({ errors }) => errors?.[0]?.extensions.code === "LIMIT_EXCEEDED");
  expect(refused.length).toBeGreaterThan(0);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_BYTES);
});
