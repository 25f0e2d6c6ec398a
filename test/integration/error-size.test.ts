/** What an answer repeats of a request is bounded over each transport. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApp, type TestApp } from "../support/app.ts";
import { socketClient } from "../support/transports.ts";

type Errors = { message: string; extensions: Record<string, unknown> }[];

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const CREATE = "mutation ($i: CreateUserInput!) { createUser(input: $i) { id } }";
const FOLLOW = "subscription ($i: ID!) { commentAdded(resourceId: $i) { id } }";
const LONG = "x".repeat(400_000);
/** 200 fields that there are not. */
const MANY = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`field${index}`, LONG.slice(0, 2_000)]));

async function post(body: string, accept = "application/json"): Promise<{ text: string; status: number }> {
  const headers = { "content-type": "application/json", accept };
  const response = await fetch(`${app.url}/graphql`, { method: "POST", headers, body });
  return { text: await response.text(), status: response.status };
}

const errorsIn = (text: string) =>
  (JSON.parse(/^data: (\{.*\})$/m.exec(text)?.[1] ?? text) as { errors?: Errors }).errors ?? [];

async function overSocket(query: string, variables: Record<string, unknown>): Promise<Errors> {
  const client = socketClient(app.url);
  try {
    const { value } = await client.iterate({ query, variables }).next();
    return (value as { errors?: Errors }).errors ?? [];
  } catch (error) {
    return error as Errors;
  } finally {
    await client.dispose();
  }
}

const WAYS: [string, (query: string, variables: Record<string, unknown>) => Promise<Errors>][] = [
  ["over HTTP", async (query, variables) => errorsIn((await post(JSON.stringify({ query, variables }))).text)],
  [
    "in a batch",
    async (query, variables) => {
      const { text } = await post(JSON.stringify([{ query, variables }]));
      return (JSON.parse(text) as { errors?: Errors }[])[0]?.errors ?? [];
    },
  ],
  [
    "as server-sent events",
    async (query, variables) => errorsIn((await post(JSON.stringify({ query, variables }), "text/event-stream")).text),
  ],
  ["over a web socket", overSocket],
];

describe.each(WAYS)("%s", (_, errorsOf) => {
  test("a wrong variable is not repeated in full", async () => {
    for (const [query, variables] of [
      [CREATE, { i: { a: LONG } }],
      [CREATE, { i: LONG }],
      [CREATE, { i: MANY }],
      [CREATE, { i: { name: "A", email: [LONG] } }],
      [FOLLOW, { i: { a: LONG } }],
    ] as const) {
      const errors = await errorsOf(query, variables);
      expect(errors.length).toBeGreaterThan(0);
      expect(errors.length).toBeLessThanOrEqual(101);
      expect(errors.map(({ extensions }) => extensions["code"])).toEqual(errors.map(() => "INVALID_INPUT"));
      expect(Math.max(...errors.map(({ message }) => message.length))).toBeLessThanOrEqual(1_003);
      // A subscription is refused before, where its events cannot be an answer.
      expect(errors[0]?.message).toMatch(/^(Variable "\$i" .* … |Answers are )/s);
    }
  });

  test("a document with a name that there is not is not repeated in full", async () => {
    const errors = await errorsOf(`{ ${"y".repeat(150_000)} }`, {});
    expect(errors).toMatchObject([{ extensions: { code: "INVALID_INPUT" } }]);
    expect(errors[0]?.message.length).toBeLessThanOrEqual(1_003);
  });
});

test("what a resolver refuses is not repeated in full", async () => {
  const { text } = await post(JSON.stringify({ query: CREATE, variables: { i: { name: "A", email: LONG } } }));
  expect(errorsIn(text)).toMatchObject([{ extensions: { code: "INVALID_INPUT" } }]);
  expect(text.length).toBeLessThan(2_000);
});

test.each([
  ["cut off", '{"query": "{ regions { key } }", "variables": {"a": "secret'],
  ["no object", "[1, 2"],
  ["no JSON", "query { regions { key } }"],
])("a body that is %s is refused without what the parser says", async (_, body) => {
  const { text, status } = await post(body, "application/graphql-response+json");
  expect(status).toBe(400);
  expect(text).not.toMatch(/originalError|SyntaxError|position|secret/);
  expect(errorsIn(text)).toMatchObject([{ extensions: { code: "INVALID_INPUT" } }]);
  expect(Object.keys(errorsIn(text)[0]?.extensions ?? {})).toEqual(["code", "requestId"]);
});
