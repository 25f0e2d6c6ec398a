/** GraphQL over HTTP: Yoga with our context, our errors and our limits. */
import type { IncomingMessage } from "node:http";
import { type DocumentNode, GraphQLError, Kind } from "graphql";
import { createYoga, type Plugin, useExecutionCancellation } from "graphql-yoga";
import { originOf } from "#audit/entry";
import type { Client, Credentials, SignIn } from "#auth/sign-in";
import { isErrorCode, TenantryError } from "#kernel/errors";
import type { GraphQLContext } from "#graphql/context";
import { toClientError } from "#graphql/errors";
import { createLoaders } from "#graphql/loaders";
import { schema } from "#graphql/schema";
import { clientOf } from "#http/client";
import { endWithSignIn } from "#http/end-with-sign-in";
import { visitorsOf } from "#http/origin";
import type { Metrics } from "#observability/metrics";
import type { Services } from "#operations/services";

export type GraphQLEndpoint = ReturnType<typeof createGraphQLEndpoint>;

export function createGraphQLEndpoint(services: Services, metrics: Metrics, signIn: SignIn, trustedProxies: number) {
  return createYoga<{ req: IncomingMessage }, GraphQLContext>({
    schema,
    graphqlEndpoint: "/graphql",
    graphiql: false,
    landingPage: false,
    // Multipart and form bodies pass without a CORS preflight: a foreign page could send mutations.
    multipart: false,
    cors: {
      origin: visitorsOf(signIn.mode).corsOrigins,
      credentials: false,
      methods: ["GET", "POST", "OPTIONS"],
      allowedHeaders: ["content-type", "authorization", "x-user-id"],
    },
    logging: false,
    maskedErrors: { maskError: (error) => challenge(toClientError(error, services.logger)) },
    context: async ({ request: { headers }, req }) => {
      const shown = { authorization: headers.get("authorization"), userId: headers.get("x-user-id") };
      return createContext(services, signIn, shown, clientOf(req, trustedProxies));
    },
    plugins: [useExecutionCancellation(), requestErrors(services), endWithSignIn(signIn), countOperations(metrics)],
  });
}

/** The context of one operation, over HTTP or a web socket. Throws UNAUTHENTICATED. */
export async function createContext(
  services: Services,
  signIn: SignIn,
  credentials: Credentials,
  client: Client,
): Promise<GraphQLContext> {
  try {
    const signedIn = await signIn.identify({ ...credentials, client });
    const { actor } = signedIn;
    const origin = originOf(signedIn, client);
    return { actor, signedIn, origin, services, loaders: createLoaders(services, actor), lag: [] };
  } catch (error) {
    // The caller is not told what was wrong with a token; who looks after the program may want to know.
    if (error instanceof TenantryError && error.cause !== undefined)
      services.logger.debug({ err: error.cause }, "a token was refused");
    throw error;
  }
}

/** Who is not signed in gets the status that says so, also to clients that do not look into the body (RFC 6750). */
function challenge(error: GraphQLError): GraphQLError {
  if (error.extensions["code"] !== "UNAUTHENTICATED") return error;
  const http = { status: 401, headers: { "www-authenticate": "Bearer" } };
  return new GraphQLError(error.message, { extensions: { ...error.extensions, http } });
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
