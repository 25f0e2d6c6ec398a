/** GraphQL over HTTP: Yoga with our context, our errors and our limits. */
import { type DocumentNode, Kind } from "graphql";
import { createYoga, type Plugin, useExecutionCancellation } from "graphql-yoga";
import { developmentActor } from "#auth/development";
import { isErrorCode } from "#kernel/errors";
import type { GraphQLContext } from "#graphql/context";
import { toClientError } from "#graphql/errors";
import { createLoaders } from "#graphql/loaders";
import { schema } from "#graphql/schema";
import { SANDBOX_ORIGIN } from "#http/origin";
import type { Metrics } from "#observability/metrics";
import type { Services } from "#operations/services";

export type GraphQLEndpoint = ReturnType<typeof createGraphQLEndpoint>;

export function createGraphQLEndpoint(services: Services, metrics: Metrics) {
  return createYoga<object, GraphQLContext>({
    schema,
    graphqlEndpoint: "/graphql",
    graphiql: false,
    landingPage: false,
    // Multipart and form bodies pass without a CORS preflight: a foreign page could send mutations.
    multipart: false,
    cors: {
      origin: [SANDBOX_ORIGIN],
      methods: ["GET", "POST", "OPTIONS"],
      allowedHeaders: ["content-type", "x-user-id"],
    },
    logging: false,
    maskedErrors: { maskError: (error) => toClientError(error, services.logger) },
    context: async ({ request }) => createContext(services, request.headers.get("x-user-id")),
    plugins: [useExecutionCancellation(), requestErrors(services), countOperations(metrics)],
  });
}

/** The context of one operation, over HTTP or a web socket. Throws UNAUTHENTICATED. */
export async function createContext(services: Services, userId: string | null): Promise<GraphQLContext> {
  const actor = await developmentActor(services, userId);
  return { actor, services, loaders: createLoaders(services, actor), lag: [] };
}

/** Errors that GraphQL raises before anything runs (syntax, validation) get their code too. */
function requestErrors(services: Services): Plugin<GraphQLContext> {
  return {
    onResultProcess(event) {
      const { result } = event;
      if (!("errors" in result) || result.errors === undefined) return;
      const errors = result.errors.map((error) =>
        isErrorCode(error.extensions?.["code"]) ? error : toClientError(error, services.logger),
      );
      event.setResult({ ...result, errors });
    },
  };
}

function countOperations(metrics: Metrics): Plugin<GraphQLContext> {
  return {
    onExecute({ args }) {
      const started = performance.now();
      const kind = operationKind(args.document as DocumentNode);
      return {
        onExecuteDone({ result, setResult }) {
          const { lag } = args.contextValue as GraphQLContext;
          if (lag.length > 0 && !(Symbol.asyncIterator in result))
            setResult({ ...result, extensions: { ...result.extensions, replicationLag: lag } });
          const failed = "errors" in result && result.errors !== undefined && result.errors.length > 0;
          metrics.operation(kind, failed ? "error" : "ok", (performance.now() - started) / 1_000);
        },
      };
    },
  };
}

function operationKind(document: DocumentNode): string {
  const definition = document.definitions.find((one) => one.kind === Kind.OPERATION_DEFINITION);
  return definition?.operation ?? "query";
}
