/** GraphQL subscriptions over web sockets (the graphql-transport-ws protocol), on the same port and path. */
import type { Server } from "node:http";
import type {
  ExecutionArgs,
  execute,
  FormattedExecutionResult,
  GraphQLError,
  GraphQLFormattedError,
  GraphQLSchema,
  parse,
  subscribe,
  validate,
} from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";
import { isErrorCode } from "#kernel/errors";
import { toClientError } from "#graphql/errors";
import { createContext, type GraphQLEndpoint } from "#http/graphql-endpoint";
import { isAllowedOrigin } from "#http/origin";
import type { Services } from "#operations/services";

const MAX_MESSAGE_BYTES = 1_000_000;

/** Attaches the protocol to the server. The returned function ends all subscriptions. */
export function serveWebSockets(server: Server, endpoint: GraphQLEndpoint, services: Services): () => Promise<void> {
  const sockets = new WebSocketServer({
    server,
    path: "/graphql",
    maxPayload: MAX_MESSAGE_BYTES,
    // Browsers do not apply CORS to web sockets: check the origin ourselves.
    verifyClient: ({ origin }: { origin: string | undefined }) => isAllowedOrigin(origin),
  });
  const disposable = useServer(
    {
      execute: (args) => (args as EnvelopedArgs).rootValue.execute(args),
      subscribe: (args) => (args as EnvelopedArgs).rootValue.subscribe(args),
      onSubscribe: async (context, _id, payload) => {
        const pipeline = endpoint.getEnveloped({ ...context, params: payload }) as Enveloped;
        try {
          const header = context.connectionParams?.["x-user-id"];
          const contextValue = await createContext(services, typeof header === "string" ? header : null);
          const document = pipeline.parse(payload.query);
          const errors = pipeline.validate(pipeline.schema, document);
          if (errors.length > 0) return errors.map((error) => toClientError(error, services.logger));
          return {
            schema: pipeline.schema,
            document,
            operationName: payload.operationName ?? undefined,
            variableValues: payload.variables ?? undefined,
            contextValue,
            rootValue: { execute: pipeline.execute, subscribe: pipeline.subscribe },
          };
        } catch (error) {
          return [toClientError(error, services.logger)];
        }
      },
      onNext: (_context, _id, _payload, _args, result) => {
        if (result.errors === undefined) return undefined;
        return { ...result, errors: result.errors.map(coded(services)) } as FormattedExecutionResult;
      },
      onError: (_context, _id, _payload, errors) => errors.map(coded(services)) as GraphQLFormattedError[],
    },
    sockets,
  );
  return async () => {
    await disposable.dispose();
  };
}

function coded(services: Services): (error: GraphQLError) => GraphQLError {
  return (error) => (isErrorCode(error.extensions?.["code"]) ? error : toClientError(error, services.logger));
}

/** What Yoga gives of its pipeline: the functions with our plugins around them. */
type Enveloped = {
  schema: GraphQLSchema;
  parse: typeof parse;
  validate: typeof validate;
  execute: typeof execute;
  subscribe: typeof subscribe;
};
type EnvelopedArgs = ExecutionArgs & { rootValue: Pick<Enveloped, "execute" | "subscribe"> };
