/** Clients that people use play the journey over real sockets, and go on after the API has been restarted. */
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client/core/index.js";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions/index.js";
import { relayStylePagination } from "@apollo/client/utilities/index.js";
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { createClient } from "graphql-ws";
import { introspectionFromSchema, OperationTypeNode } from "graphql";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { schema } from "../support/schema.ts";

let app: TestApp;
let ada: string;
let organization: string;
let resource: string;

beforeAll(async () => {
  app = await startApp();
  await registerRegion(app, "eu", serverUrl("eu"));
  ada = await createUser(app, "Ada");
  organization = await createOrganization(app, "Acme");
  await addMember(app, organization, ada);
  await grant(app, organization, "eu", "SHARED");
  resource = await createResource(app, { name: "Plans", organizationId: organization, regionKey: "eu" });
  for (const body of ["One", "Two", "Three"]) await comment(app, resource, ada, body);
});
afterAll(async () => app?.stop());

/** The API anew on the same databases. It has another port then, so clients ask for the address each time. */
async function restart(): Promise<void> {
  const { databaseUrl, secretKey } = app;
  await app.stop();
  app = await startApp({ databaseUrl, secretKey });
}

/** A socket comes back after seconds. Until then nothing that is written is heard. */
const PATIENCE = { timeout: 20_000, interval: 250 };
const endpoint = () => `${app.url}/graphql`;
const socket = () =>
  createClient({
    url: () => endpoint().replace("http", "ws"),
    webSocketImpl: WebSocket,
    retryAttempts: 20,
    shouldRetry: () => true,
    connectionParams: { "x-user-id": ada },
  });

const PAGE = `query Page($id: ID!, $after: String) {
  node(id: $id) {
    __typename id
    ... on Resource { name region { id key } comments(first: 2, after: $after) {
      edges { cursor node { id body author { id name } } } pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
    } }
  }
}`;
const LAST_PAGE = `query LastPage($id: ID!, $before: String) {
  node(id: $id) {
    __typename id
    ... on Resource { comments(last: 2, before: $before) {
      edges { cursor node { id body } } pageInfo { hasNextPage endCursor hasPreviousPage startCursor }
    } }
  }
}`;
const ROLE = "query Mine($id: ID!) { organization(id: $id) { id name viewerRole viewerMay } }";
const WRITE = "mutation Write($input: CreateCommentInput!) { createComment(input: $input) { id body } }";
const FOLLOW = "subscription Follow($id: ID!) { commentAdded(resourceId: $id) { id body } }";

type Followed = { commentAdded: { body: string } };

async function heardAfter(written: Promise<unknown>, heard: string[]): Promise<string[]> {
  await written;
  return heard;
}

const cacheOfUrql = () =>
  cacheExchange({
    schema: introspectionFromSchema(schema) as never,
    keys: { PageInfo: () => null },
    resolvers: { Resource: { comments: relayPagination() } },
  });

const bodiesOf = (data: any): string[] => data.node.comments.edges.map(({ node }: any) => node.body);

test("Apollo Client and urql page backwards from the end", async () => {
  const headers = { "x-user-id": ada };
  const apollo = new ApolloClient({
    cache: new InMemoryCache({
      possibleTypes: { Node: ["Resource", "Organization"] },
      typePolicies: { Resource: { fields: { comments: relayStylePagination() } } },
    }),
    link: new HttpLink({ uri: endpoint, headers }),
  });
  const pages = apollo.watchQuery({ query: gql(LAST_PAGE), variables: { id: resource } });
  const seen = pages.subscribe(() => undefined);
  const last: any = (await pages.refetch()).data;
  expect(bodiesOf(last)).toEqual(["Two", "Three"]);
  await pages.fetchMore({ variables: { before: last.node.comments.pageInfo.startCursor } });
  await expect.poll(() => bodiesOf(pages.getCurrentResult().data)).toEqual(["One", "Two", "Three"]);
  const { node }: any = pages.getCurrentResult().data;
  expect(node.comments.pageInfo).toMatchObject({ hasPreviousPage: false, hasNextPage: false });
  seen.unsubscribe();
  apollo.stop();

  const urql = new Client({
    url: endpoint(),
    preferGetMethod: false,
    exchanges: [cacheOfUrql(), fetchExchange],
    fetchOptions: { headers },
  });
  const end = await urql.query(LAST_PAGE, { id: resource }).toPromise();
  expect(bodiesOf(end.data)).toEqual(["Two", "Three"]);
  const before = end.data.node.comments.pageInfo.startCursor;
  expect(bodiesOf((await urql.query(LAST_PAGE, { id: resource, before }).toPromise()).data)).toEqual([
    "One",
    "Two",
    "Three",
  ]);
});

test("Apollo Client pages by the node, writes, follows, and goes on after a restart", async () => {
  const ws = socket();
  const http = new HttpLink({ uri: endpoint, headers: { "x-user-id": ada } });
  const client = new ApolloClient({
    cache: new InMemoryCache({
      possibleTypes: { Node: ["Resource", "Organization"] },
      typePolicies: { Resource: { fields: { comments: relayStylePagination() } } },
    }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(ws),
      http,
    ),
  });
  const pages = client.watchQuery({ query: gql(PAGE), variables: { id: resource } });
  const seen = pages.subscribe(() => undefined);
  const first: any = (await pages.refetch()).data;
  expect(bodiesOf(first)).toEqual(["One", "Two"]);
  await pages.fetchMore({ variables: { after: first.node.comments.pageInfo.endCursor } });
  await expect.poll(() => bodiesOf(pages.getCurrentResult().data)).toEqual(["One", "Two", "Three"]);
  expect((await client.query({ query: gql(ROLE), variables: { id: organization } })).data).toMatchObject({
    organization: { viewerRole: "MEMBER", viewerMay: ["READ", "WRITE_CONTENT"] },
  });
  const heard: string[] = [];
  const following = client
    .subscribe({ query: gql(FOLLOW), variables: { id: resource } })
    .subscribe(({ data }) => heard.push((data as Followed).commentAdded.body));
  const write = (body: string) =>
    client.mutate({ mutation: gql(WRITE), variables: { input: { resourceId: resource, body } } });
  await expect.poll(async () => heardAfter(write("Apollo before"), heard), PATIENCE).toContain("Apollo before");
  await restart();
  await expect.poll(async () => heardAfter(write("Apollo after"), heard), PATIENCE).toContain("Apollo after");
  following.unsubscribe();
  seen.unsubscribe();
  client.stop();
  await ws.dispose();
});

test("urql with its normalized cache pages by the node, writes, follows, and goes on after a restart", async () => {
  const ws = socket();
  const cache = cacheOfUrql();
  const follow = subscriptionExchange({
    forwardSubscription: ({ query = "", variables }) => ({
      subscribe: (sink) => ({ unsubscribe: ws.subscribe({ query, variables: variables as never }, sink as never) }),
    }),
  });
  const make = () =>
    new Client({
      url: endpoint(),
      preferGetMethod: false,
      exchanges: [cache, follow, fetchExchange],
      fetchOptions: { headers: { "x-user-id": ada } },
    });
  let client = make();
  const first = await client.query(PAGE, { id: resource }).toPromise();
  expect(first.error).toBeUndefined();
  expect(bodiesOf(first.data)).toEqual(["One", "Two"]);
  const { endCursor } = first.data.node.comments.pageInfo;
  const both = await client.query(PAGE, { id: resource, after: endCursor }).toPromise();
  expect(bodiesOf(both.data).slice(0, 3)).toEqual(["One", "Two", "Three"]);
  const write = async (body: string) => {
    const { error } = await client.mutation(WRITE, { input: { resourceId: resource, body } }).toPromise();
    expect(error).toBeUndefined();
  };
  const heard: string[] = [];
  const following = client
    .subscription(FOLLOW, { id: resource })
    .subscribe(({ data }) => heard.push(data?.commentAdded.body));
  await expect.poll(async () => heardAfter(write("urql before"), heard), PATIENCE).toContain("urql before");
  await restart();
  // Its address is fixed when it is made; what is followed goes on by the socket.
  client = make();
  await expect.poll(async () => heardAfter(write("urql after"), heard), PATIENCE).toContain("urql after");
  following.unsubscribe();
  await ws.dispose();
});
