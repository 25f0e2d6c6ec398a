/** Reading across regions when one of three does not answer, or is gone: the others' rows are there, and in time. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { childrenOf, sendSignal } from "../../src/embedded/processes.ts";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
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
import { type OwnServer, startServer } from "../support/servers.ts";

/** Of engine/routing/region-failure.ts, with room for a busy machine. */
const DEADLINE_MS = 10_000 + 5_000;
/** More organizations in the third region than a caller has statements at once there. */
const ORGANIZATIONS = 8;

type Row = {
  id: string;
  name: string;
  region: { key: string } | null;
  comments: {
    edges: { node: { body: string; author: { name: string } } }[] | null;
    pageInfo: { hasNextPage: boolean; endCursor?: string | null };
  };
};
type Failure = { path: (string | number)[]; extensions: { code: string } };

let own: OwnServer;
let api: TestApp;
let user: string;
const resources: { id: string; region: string }[] = [];
const COMMENTS = "comments { edges { node { body author { name } } } pageInfo { hasNextPage } }";
const LIST = `{ resources { edges { node { id name region { key } ${COMMENTS} } } } }`;

beforeAll(async () => {
  own = await startServer();
  const setup = await startApp();
  await registerRegion(setup, "eu", serverUrl("eu"));
  await registerRegion(setup, "us", serverUrl("us"));
  await registerRegion(setup, "far", own.url());
  user = await createUser(setup, "Ada");
  const add = async (organizationId: string, region: string) => {
    await grant(setup, organizationId, region, "SHARED");
    const id = await createResource(setup, { name: `In ${region}`, organizationId, regionKey: region });
    await comment(setup, id, user, `From ${region}`);
    resources.push({ id, region });
  };
  for (let index = 0; index < ORGANIZATIONS; index += 1) {
    const organizationId = await createOrganization(setup, `Organization ${index}`);
    await addMember(setup, organizationId, user);
    // The far ones are asked for first.
    await add(organizationId, "far");
    if (index === 0) for (const region of ["eu", "us"]) await add(organizationId, region);
  }
  const { databaseUrl, secretKey } = setup;
  await setup.stop();
  api = await startApp({ databaseUrl, secretKey, role: "api" });
});
afterAll(async () => {
  await api?.stop();
  await own?.[Symbol.asyncDispose]();
});

async function ask(query: string): Promise<{ data: any; errors?: Failure[]; tookMs: number }> {
  const start = performance.now();
  const response = await fetch(`${api.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-user-id": user },
    body: JSON.stringify({ query }),
  });
  const answer = (await response.json()) as { data: any; errors?: Failure[] };
  return { ...answer, tookMs: performance.now() - start };
}

const rowsOf = (data: any): Row[] => data.resources.edges.map(({ node }: { node: Row }) => node);
const inRegion = (row: Row, region: string) => row.region?.key === region;

/** Waits until the third region answers again, with connections that were there before. */
beforeEach(async () => {
  const back = await eventually(async () => (await ask(LIST)).errors === undefined, 20_000);
  if (!back) throw new Error("the third region does not answer again");
}, 30_000);

function expectOthers(rows: Row[]): void {
  expect(rows).toHaveLength(resources.length);
  for (const row of rows) {
    const { region } = row;
    // From the catalog, so it is known of all.
    expect(row.name).toBe(`In ${region?.key}`);
    expect(row.comments).toEqual(
      inRegion(row, "far")
        ? { edges: null, pageInfo: { hasNextPage: false } }
        : {
            edges: [{ node: { body: `From ${region?.key}`, author: { name: "Ada" } } }],
            pageInfo: { hasNextPage: false },
          },
    );
  }
}

/** Each failure says which rows it is about, and nothing else fails. */
function expectFailures(rows: Row[], errors: Failure[] | undefined): void {
  const paths = rows.flatMap((row, index) =>
    inRegion(row, "far") ? ["edges"].map((field) => ["resources", "edges", index, "node", "comments", field]) : [],
  );
  const order = (a: unknown, b: unknown) => String(a).localeCompare(String(b));
  expect(errors?.map(({ path }) => path).toSorted(order)).toEqual(paths.toSorted(order));
  expect(new Set(errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(["REGION_UNAVAILABLE"]));
}

/** Stops every process of the third region's server, so that it takes connections and says nothing. */
function freeze(): Disposable {
  const { pid } = own.server;
  if (pid === undefined) throw new Error("the server is not running");
  sendSignal(pid, "SIGSTOP");
  const stopped = [pid, ...childrenOf(pid)];
  for (const process of stopped) sendSignal(process, "SIGSTOP");
  return {
    [Symbol.dispose]: () => {
      for (const process of stopped) sendSignal(process, "SIGCONT");
    },
  };
}

test("a region that hangs costs its own rows, within the deadline", async () => {
  using _ = freeze();
  const { data, errors, tookMs } = await ask(LIST);
  const rows = rowsOf(data);
  expectOthers(rows);
  expectFailures(rows, errors);
  expect(tookMs).toBeLessThan(DEADLINE_MS);
}, 40_000);

test("while a region hangs, its caller's statements to the others are not held up", async () => {
  using _ = freeze();
  const slow = ask(LIST);
  let isAnswered = false;
  void slow.then(() => (isAnswered = true));
  const near = resources.filter(({ region }) => region !== "far");
  for (let round = 0; round < 5; round += 1) {
    const { data, errors } = await ask(
      `{ ${near.map(({ id }, n) => `r${n}: resource(id: "${id}") { name }`).join(" ")} }`,
    );
    expect(errors).toBeUndefined();
    expect(Object.values(data)).toEqual(near.map(({ region }) => ({ name: `In ${region}` })));
  }
  expect(isAnswered).toBe(false);
  await slow;
}, 40_000);

test("resources by their ids, in regions of which one is gone, fail one by one", async () => {
  await own.server.kill();
  try {
    const fields = resources.map(({ id }, n) => `r${n}: resource(id: "${id}") { name ${COMMENTS} }`);
    const { data, errors, tookMs } = await ask(`{ ${fields.join(" ")} }`);
    expect(
      resources.map(({ region }, n) => data[`r${n}`]?.comments.edges[0].node.body ?? `nothing of ${region}`),
    ).toEqual(resources.map(({ region }) => (region === "far" ? "nothing of far" : `From ${region}`)));
    const far = resources.flatMap(({ region }, n) => (region === "far" ? [`r${n}`] : []));
    expect(errors?.map(({ path }) => path.join(".")).toSorted()).toEqual(far.toSorted());
    expect(new Set(errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(["REGION_UNAVAILABLE"]));
    expect(tookMs).toBeLessThan(DEADLINE_MS);
    // As nodes likewise, each in its place.
    const nodes = await ask(`{ nodes(ids: ${JSON.stringify(resources.map(({ id }) => id))}) { id } }`);
    expect(nodes.data.nodes).toEqual(resources.map(({ id, region }) => (region === "far" ? null : { id })));
    const places = resources.flatMap(({ region }, n) => (region === "far" ? [`nodes.${n}`] : []));
    expect(nodes.errors?.map(({ path }) => path.join(".")).toSorted()).toEqual(places.toSorted());
    // From the catalog too.
    const listed = await ask(LIST);
    expectOthers(rowsOf(listed.data));
    expectFailures(rowsOf(listed.data), listed.errors);
  } finally {
    await own.server.start();
  }
}, 60_000);
