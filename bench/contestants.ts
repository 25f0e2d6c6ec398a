/** The servers that are measured beside each other: how each is started, asked, and understood. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ended, startApiProcess } from "./api-process.ts";
import type { Sent } from "./load.ts";
import type { Target } from "./workload.ts";

/** Connections to the tenant database that each contestant may use. */
const POOL_SIZE = 4;
const COMMENTS = "edges { cursor node { id body createdAt author { id name } } } pageInfo { hasNextPage endCursor }";
const READ = `query Read($id: ID!) { resource(id: $id) { id name createdAt organization { id name } region { key }
  comments(first: 20) { ${COMMENTS} } } }`;
const WRITE =
  "mutation Write($input: CreateCommentInput!) { createComment(input: $input) { id body createdAt author { id name } } }";
const BODY =
  "A note about what was seen today, which is as long as the others are, so that it is comparable with them.";
const JSON_HEADERS = { "content-type": "application/json" };

/** What all must agree on. Ids, cursors and times are written differently and are left out. */
export type Page = {
  name: string;
  organization: string;
  region: string;
  comments: { body: string; author: string }[];
  hasNextPage: boolean;
};

export type Contestant = {
  key: ContestantKey;
  name: string;
  ports: number[];
  pids: number[];
  read: (target: Target) => Sent;
  write: (target: Target) => Sent;
  /** The page in the answer to `read`. */
  page: (answer: unknown) => Page;
  /** The author's name and the text in the answer to `write`. */
  written: (answer: unknown) => { body: string; author: string };
  stop: () => Promise<void>;
};

export const CONTESTANTS = ["bare", "tenantry", "postgraphile", "apollo-dataloader", "apollo-drizzle"] as const;
export type ContestantKey = (typeof CONTESTANTS)[number];

/** Limits that are on, and out of reach: they are part of the work, refusals are not. */
export const OUT_OF_REACH = {
  TENANTRY_ACTOR_POINTS_PER_SECOND: "100000000",
  TENANTRY_ORGANIZATION_POINTS_PER_SECOND: "100000000",
  TENANTRY_ACTOR_CONCURRENCY: "64",
  TENANTRY_ORGANIZATION_CONCURRENCY: "64",
};

/** `tenantUrl` goes to the tenant database as its superuser, `connection` to home. */
export type Where = { tenantUrl: string; connection: { databaseUrl: string; secretKey: string } };

export function startContestant(key: ContestantKey, where: Where): Promise<Contestant> {
  switch (key) {
    case "bare":
      return startBare(where.tenantUrl);
    case "tenantry":
      return startTenantry(where.connection);
    case "postgraphile":
      return startPostGraphile(where.tenantUrl);
    case "apollo-dataloader":
      return startApollo(key, "Apollo Server 5, DataLoader", where.tenantUrl);
    case "apollo-drizzle":
      return startApollo(key, "Apollo Server 5, Drizzle", where.tenantUrl);
    default:
      throw new Error(`there is no contestant ${String(key satisfies never)}`);
  }
}

const FOLDER = "bench/contestants";

/** Installs what the contestants need beside the product's own dependencies, when it is not there. */
export function installContestants(): void {
  if (existsSync(join(FOLDER, "node_modules", "postgraphile"))) return;
  const given = ["pnpm@12", "install", "--dir", FOLDER, "--ignore-workspace", "--ignore-scripts", "--frozen-lockfile"];
  const { status } = spawnSync("npx", ["--yes", ...given], { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`the contestants could not be installed (npx ${given.join(" ")})`);
}

/** Runs a server of the folder and reads the line that it prints when it listens. */
export async function startServer(
  file: string,
  given: readonly string[],
): Promise<{ line: string[]; port: number; child: ChildProcess; pid: number }> {
  const child = spawn(process.execPath, [`${FOLDER}/${file}`, ...given], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], NODE_ENV: "production", GRAPHILE_ENV: "production" },
  });
  if (child.stdout === null || child.pid === undefined) throw new Error(`${file} did not start`);
  const [printed] = (await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    once(child, "exit").then(() => Promise.reject(new Error(`${file} ended`))),
  ])) as [string];
  const line = printed.split(" ");
  return { line, port: Number(line[0]), child, pid: child.pid };
}

const sent = (path: string, body: object, headers: Record<string, string> = {}): Sent => ({
  path,
  headers: { ...JSON_HEADERS, ...headers },
  body: JSON.stringify(body),
});

type OwnAnswer = {
  data: {
    resource: {
      name: string;
      organization: { name: string };
      region: { key: string };
      comments: {
        edges: { node: { body: string; author: { name: string } } }[];
        pageInfo: { hasNextPage: boolean };
      };
    };
    createComment: { body: string; author: { name: string } };
  };
};

/** Those whose answers look alike. */
const alike = {
  page: (answer: unknown): Page => {
    const { name, organization, region, comments } = (answer as OwnAnswer).data.resource;
    return {
      name,
      organization: organization.name,
      region: region.key,
      comments: comments.edges.map(({ node }) => ({ body: node.body, author: node.author.name })),
      hasNextPage: comments.pageInfo.hasNextPage,
    };
  },
  written: (answer: unknown) => {
    const { body, author } = (answer as OwnAnswer).data.createComment;
    return { body, author: author.name };
  },
};

async function startBare(tenantUrl: string): Promise<Contestant> {
  const { port, pid, child } = await startServer("bare.ts", [tenantUrl, "bench", String(POOL_SIZE)]);
  return {
    ...alike,
    key: "bare",
    name: "bare node:http + pg",
    ports: [port],
    pids: [pid],
    read: ({ resourceId }) => sent("/", { id: resourceId }),
    write: ({ resourceId, authorId }) => sent("/", { resourceId, authorId, body: BODY }),
    stop: () => ended(child),
  };
}

/** `processes`: how many share the connections. */
export async function startTenantry(connection: Where["connection"], processes = 1): Promise<Contestant> {
  const started = await Promise.all(Array.from({ length: processes }, () => startApiProcess(connection, OUT_OF_REACH)));
  const authorized = (key: string, body: object) => sent("/graphql", body, { authorization: `Bearer ${key}` });
  return {
    ...alike,
    key: "tenantry",
    name: "Tenantry",
    ports: started.map(({ port }) => port),
    pids: started.map(({ child }) => child.pid ?? 0),
    read: ({ resourceId, key }) => authorized(key, { query: READ, variables: { id: resourceId } }),
    write: ({ resourceId, authorId, key }) =>
      authorized(key, { query: WRITE, variables: { input: { resourceId, authorId, body: BODY } } }),
    stop: async () => {
      for (const { stop } of started) await stop();
    },
  };
}

async function startApollo(
  key: "apollo-dataloader" | "apollo-drizzle",
  name: string,
  tenantUrl: string,
): Promise<Contestant> {
  const { port, pid, child } = await startServer(`${key}.ts`, [tenantUrl, "bench", String(POOL_SIZE)]);
  return {
    ...alike,
    key,
    name,
    ports: [port],
    pids: [pid],
    read: ({ resourceId }) => sent("/", { query: READ, variables: { id: resourceId } }),
    write: ({ resourceId, authorId }) =>
      sent("/", { query: WRITE, variables: { input: { resourceId, authorId, body: BODY } } }),
    stop: () => ended(child),
  };
}

const POSTGRAPHILE_READ = `query Read($databaseId: Int!, $id: UUID!) {
  resource: resourceByDatabaseIdAndRowId(databaseId: $databaseId, rowId: $id) {
    id: rowId name createdAt organization { id: organizationId name } region: regionKey
    comments: commentsByOrganizationIdAndResourceIdAndDatabaseId(first: 20) {
      edges { cursor node { id: rowId body createdAt author { id: userId name } } } pageInfo { hasNextPage endCursor } } } }`;
const POSTGRAPHILE_WRITE = `mutation Write($input: BenchPostgraphileAddCommentInput!) {
  added: benchPostgraphileAddComment(input: $input) {
    createComment: result { id: rowId body createdAt author { id: userId name } } } }`;

async function startPostGraphile(tenantUrl: string): Promise<Contestant> {
  const { port, pid, child, line } = await startServer("postgraphile.ts", [tenantUrl, "bench", String(POOL_SIZE)]);
  const databaseId = Number(line[1]);
  return {
    key: "postgraphile",
    name: "PostGraphile 5",
    ports: [port],
    pids: [pid],
    read: ({ resourceId }) => sent("/graphql", { query: POSTGRAPHILE_READ, variables: { databaseId, id: resourceId } }),
    write: ({ resourceId, authorId }) =>
      sent("/graphql", { query: POSTGRAPHILE_WRITE, variables: { input: { resourceId, authorId, body: BODY } } }),
    page: (answer) => {
      const { resource } = (
        answer as { data: { resource: Omit<OwnAnswer["data"]["resource"], "region"> & { region: string } } }
      ).data;
      return alike.page({ data: { resource: { ...resource, region: { key: resource.region } } } });
    },
    written: (answer) => alike.written({ data: (answer as { data: { added: object } }).data.added }),
    stop: () => ended(child),
  };
}
