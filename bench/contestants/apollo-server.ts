/** What both Apollo servers serve: the part of the API that is measured, with the settings that Apollo recommends for production. */
import { ApolloServer, type BaseContext } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";

const typeDefs = `#graphql
  type Query { resource(id: ID!): Resource }
  type Mutation { createComment(input: CreateCommentInput!): Comment! }
  input CreateCommentInput { resourceId: ID!, authorId: ID!, body: String! }
  type Resource {
    id: ID!
    name: String!
    createdAt: String!
    organization: Organization
    region: Region
    comments(first: Int! = 20): CommentConnection!
  }
  type Organization { id: ID!, name: String! }
  type Region { key: String! }
  type CommentConnection { edges: [CommentEdge!]!, pageInfo: PageInfo! }
  type CommentEdge { cursor: String!, node: Comment! }
  type PageInfo { hasNextPage: Boolean!, endCursor: String }
  type Comment { id: ID!, body: String!, createdAt: String!, author: User }
  type User { id: ID!, name: String! }
`;

export type NewComment = { input: { resourceId: string; authorId: string; body: string } };

/** One comment more than the page has says whether another page follows. */
export function toConnection<Comment extends { id: string }>(found: readonly Comment[], first: number) {
  const page = found.slice(0, first);
  return {
    edges: page.map((node) => ({ cursor: node.id, node })),
    pageInfo: { hasNextPage: found.length > first, endCursor: page.at(-1)?.id ?? null },
  };
}

// oxlint-disable-next-line typescript/no-explicit-any -- what Apollo's own types call a resolver
type Resolvers = Record<string, Record<string, (...given: any[]) => unknown>>;

/** Serves on a free port of the loopback interface and prints it. `context` is made for each request. */
export async function serve<Context extends BaseContext>(resolvers: Resolvers, context: () => Context): Promise<void> {
  const server = new ApolloServer<Context>({
    typeDefs,
    resolvers: { Resource: {}, ...resolvers },
    introspection: false,
    includeStacktraceInErrorResponses: false,
    cache: "bounded",
  });
  const { url } = await startStandaloneServer(server, {
    listen: { host: "127.0.0.1", port: 0 },
    context: () => Promise.resolve(context()),
  });
  process.stdout.write(`${new URL(url).port}\n`);
}
