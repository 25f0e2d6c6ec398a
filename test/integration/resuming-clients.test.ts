/** Clients that people use come back after the API was stopped, and hear of what happened meanwhile, once. */
import { ApolloClient, gql, InMemoryCache } from "@apollo/client/core/index.js";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions/index.js";
import { Client as Urql, subscriptionExchange } from "@urql/core";
import { type Client, createClient } from "graphql-ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { waitFor } from "#base/kernel/wait";
import { serverUrl, startApp, type TestApp } from "../support/app.ts";
import { eventCursor } from "../support/events.ts";
import {
  addMember,
  comment,
  createOrganization,
  createResource,
  createUser,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { followOverHttp, resuming } from "../support/resuming.ts";

/** What clients speak to. Another process goes on meanwhile. */
let app: TestApp;
let other: TestApp;
let ada: string;
let organization: string;

beforeAll(async () => {
  other = await startApp();
  await registerRegion(other, "eu", serverUrl("eu"));
  ada = await createUser(other, "Ada");
  organization = await createOrganization(other, "Acme");
  await addMember(other, organization, ada);
  await grant(other, organization, "eu", "SHARED");
  app = await startApp({ databaseUrl: other.databaseUrl, secretKey: other.secretKey, role: "api" });
});
afterAll(async () => {
  await app?.stop();
  await other?.stop();
});

const FOLLOW = "subscription ($id: ID!, $after: String) { commentAdded(resourceId: $id, after: $after) { id body } }";
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

type Variables = { id: string; after: string };
type Hear = (data: any) => void;
/** Begins to follow; the returned function ends that. */
type Begin = (variables: Variables, hear: Hear) => () => unknown;

/** A client's own pauses grow to many seconds. */
async function untilThere(): Promise<void> {
  const look = () => fetch(`${app.url}/health/live`).catch(() => undefined);
  await waitFor(look, { timeoutMs: 20_000 });
}

const socket = (): Client =>
  resuming(
    createClient({
      url: () => `${app.url.replace("http", "ws")}/graphql`,
      webSocketImpl: WebSocket,
      retryWait: untilThere,
      shouldRetry: () => true,
      connectionParams: { "x-user-id": ada },
    }),
  );

const CLIENTS: Record<string, Begin> = {
  "graphql-ws": (variables, hear) => {
    const client = socket();
    client.subscribe(
      { query: FOLLOW, variables },
      { next: ({ data }) => hear(data), error: () => undefined, complete: () => undefined },
    );
    return () => client.dispose();
  },
  "server-sent events": (variables, hear) => {
    const leaving = new AbortController();
    void followOverHttp(
      () => `${app.url}/graphql`,
      { query: FOLLOW, variables },
      { "x-user-id": ada },
      leaving.signal,
      untilThere,
      ({ data }) => hear(data),
    );
    return () => leaving.abort();
  },
  "Apollo Client": (variables, hear) => {
    const ws = socket();
    const client = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(ws) });
    client.subscribe({ query: gql(FOLLOW), variables }).subscribe(({ data }) => hear(data));
    return () => {
      client.stop();
      return ws.dispose();
    };
  },
  urql: (variables, hear) => {
    const ws = socket();
    const exchange = subscriptionExchange({
      forwardSubscription: ({ query = "", variables: given }) => ({
        subscribe: (sink) => ({
          unsubscribe: ws.subscribe({ query, variables: given as never }, sink as never),
        }),
      }),
    });
    const client = new Urql({ url: app.url, preferGetMethod: false, exchanges: [exchange] });
    const following = client.subscription(FOLLOW, variables).subscribe(({ data }) => hear(data));
    return () => {
      following.unsubscribe();
      return ws.dispose();
    };
  },
};

test.each(Object.entries(CLIENTS))("%s goes on where it was", async (_, begin) => {
  const id = await createResource(other, { name: "Followed", organizationId: organization, regionKey: "eu" });
  const heard: string[] = [];
  const end = begin({ id, after: await eventCursor(other) }, ({ commentAdded }) => heard.push(commentAdded.body));
  const said: string[] = [];
  const say = async (body: string) => {
    await comment(other, id, ada, body);
    said.push(body);
  };
  await say("before");
  await soon(() => heard).toEqual(said);
  const { databaseUrl, secretKey } = app;
  await app.stop();
  await say("meanwhile");
  await say("meanwhile too");
  app = await startApp({ databaseUrl, secretKey, role: "api" });
  await say("after");
  await soon(() => heard).toEqual(said);
  await say("at last");
  await soon(() => heard).toEqual(said);
  await end();
});
