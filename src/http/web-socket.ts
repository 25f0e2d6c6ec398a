/** GraphQL subscriptions over web sockets (the graphql-transport-ws protocol), on the same port and path. */
import type { IncomingMessage, Server } from "node:http";
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
import type { Credentials, SignIn } from "#auth/sign-in";
import { isErrorCode } from "#kernel/errors";
import { toClientError } from "#graphql/errors";
import { clientOf } from "#http/client";
import { createContext, type GraphQLEndpoint } from "#http/graphql-endpoint";
import { visitorsOf } from "#http/origin";
import type { Services } from "#operations/services";

const MAX_MESSAGE_BYTES = 1_000_000;

/** Attaches the protocol to the server. The returned function ends all subscriptions. */
export function serveWebSockets(
  server: Server,
  parts: { endpoint: GraphQLEndpoint; services: Services; signIn: SignIn; trustedProxies: number },
): () => Promise<void> {
  const { endpoint, services, signIn, trustedProxies } = parts;
  const { isAllowedOrigin } = visitorsOf(signIn.mode);
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
          // Anew for each operation: a token that has expired since the socket was opened is refused.
          const shown = credentialsOf(context.connectionParams, context.extra.request);
          const client = clientOf(context.extra.request, trustedProxies);
          const contextValue = await createContext(services, signIn, shown, client);
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

/** Browsers cannot set headers on a web socket, so credentials are in `connectionParams`; other clients may use headers. */
function credentialsOf(params: Record<string, unknown> | undefined, { headers }: IncomingMessage): Credentials {
  const read = (name: string) => {
    const given = Object.entries(params ?? {}).find(([key]) => key.toLowerCase() === name)?.[1] ?? headers[name];
    return typeof given === "string" ? given : null;
  };
  return { authorization: read("authorization"), userId: read("x-user-id") };
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
