/** GraphQL subscriptions over web sockets (the graphql-transport-ws protocol), on the same port and path. */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import {
  type ExecutionArgs,
  type execute,
  type FormattedExecutionResult,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  type parse,
  type subscribe,
  type validate,
} from "graphql";
import type { SubscribePayload } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { type WebSocket, WebSocketServer } from "ws";
import { becauseOf } from "#base/kernel/call";
import type { Credentials } from "#engine/auth/sign-in";
import { toClientError, toClientErrors } from "#api/graphql/errors";
import { clientOf } from "#api/http/guards/client";
import {
  createContext,
  type EndpointParts,
  type GraphQLEndpoint,
  operationNameOf,
} from "#api/http/endpoint/graphql-endpoint";
import { SOCKET_INIT_TIMEOUT_MS, SocketSignIn } from "#api/http/endpoint/socket-sign-in";
import { replyOn, watchSocket } from "#api/http/endpoint/reply";
import { endSocketOperation, noteSocketOperation, type RequestCause } from "#api/http/request-log";
import { flowOf } from "#api/http/limits/stalled-sockets";
import { whenClosed } from "#api/http/when-closed";
import type { Services } from "#engine/services";

const PING_MS = 12_000;
/** What may wait on a web socket for a caller that does not read: so many of the largest answers. */
const MOST_ANSWERS_HELD = 2;

/** Attaches the protocol to the server. The returned function ends all subscriptions. */
export function serveWebSockets(
  server: Server,
  parts: EndpointParts & { endpoint: GraphQLEndpoint },
): () => Promise<void> {
  const { services } = parts;
  const signIn = new SocketSignIn(parts);
  const sockets = openSockets(server, parts, signIn);
  // Those that run, by what was sent to begin them.
  const running = new WeakMap<object, SocketOperation>();
  const disposable = useServer(
    {
      execute: (args) => becauseOf(causeOf(args), () => (args as EnvelopedArgs).rootValue.execute(args)),
      subscribe: (args) => becauseOf(causeOf(args), () => (args as EnvelopedArgs).rootValue.subscribe(args)),
      connectionInitWaitTimeout: SOCKET_INIT_TIMEOUT_MS,
      onConnect: ({ connectionParams, extra: { socket, request } }) =>
        signIn.signIn(socket, request, credentialsOf(connectionParams, request)),
      onSubscribe: ({ extra, connectionParams }, _id, payload) => {
        const operation: SocketOperation = {
          cause: noteSocketOperation(payload.extensions, parts),
          startedAt: performance.now(),
        };
        running.set(payload, operation);
        return becauseOf(operation.cause, () => begin(parts, operation, { extra, connectionParams, payload }));
      },
      onNext: (_context, _id, payload, _args, result) => {
        const operation = running.get(payload);
        if (operation !== undefined) operation.cause.note.events += 1;
        if (result.errors === undefined) return undefined;
        const errors = becauseOf(operation?.cause, () => coded(result.errors ?? [], services));
        return { ...result, errors } as FormattedExecutionResult;
      },
      onError: (_context, _id, payload, errors) => {
        const operation = running.get(payload);
        const said = becauseOf(operation?.cause, () => coded(errors, services));
        if (operation !== undefined) endSocketOperation(operation, parts);
        return said as GraphQLFormattedError[];
      },
      onComplete: (_context, _id, payload) => {
        const operation = running.get(payload);
        if (operation !== undefined) endSocketOperation(operation, parts);
      },
    },
    sockets,
    // Its own ends who reads slowly: an answer to a ping stands behind all that was sent before.
    0,
  );
  return async () => {
    await disposable.dispose();
  };
}

/** One operation on a web socket, from when it was asked for. */
type SocketOperation = { cause: RequestCause; startedAt: number };

type Asked = {
  extra: { request: IncomingMessage; socket: WebSocket };
  connectionParams?: Readonly<Record<string, unknown>> | undefined;
  payload: SubscribePayload;
};

/** What is to be executed, or why it will not be. */
async function begin(
  parts: EndpointParts & { endpoint: GraphQLEndpoint },
  { cause, startedAt }: SocketOperation,
  { extra: { request, socket }, connectionParams, payload }: Asked,
): Promise<ExecutionArgs | GraphQLError[]> {
  const { endpoint, services, settings, persisted } = parts;
  try {
    // Anew for each operation: a token that has expired since the socket was opened is refused.
    const shown = credentialsOf(connectionParams, request);
    const client = clientOf(request, settings.trustedProxies);
    const gone = whenClosed(socket, socket.readyState === socket.CLOSED);
    const contextValue = await createContext(parts, shown, client, { gone, startedAt });
    contextValue.reply = replyOn(socket, settings.limits.maxAnswerBytes);
    // Before anything is parsed, and known to the limits on documents.
    const pipeline = endpoint.getEnveloped({
      ...contextValue,
      params: { ...payload, operationName: operationNameOf(payload) },
    } as never) as Enveloped;
    const document = pipeline.parse(persisted.textOf(payload) ?? payload.query);
    const errors = pipeline.validate(pipeline.schema, document);
    if (errors.length > 0) return coded(errors, services);
    return {
      schema: pipeline.schema,
      document,
      operationName: operationNameOf(payload),
      variableValues: payload.variables ?? undefined,
      contextValue,
      rootValue: { execute: pipeline.execute, subscribe: pipeline.subscribe, cause },
    };
  } catch (error) {
    return [forSocket(toClientError(error, services))];
  }
}

function causeOf(args: unknown): RequestCause {
  return (args as EnvelopedArgs).rootValue.cause;
}

/** Takes those that may come in, and watches each for as long as it is open. */
function openSockets(server: Server, { visitors, settings }: EndpointParts, signIn: SocketSignIn): WebSocketServer {
  const { maxAnswerBytes, maxBodyBytes } = settings.limits;
  const sockets = new WebSocketServer({
    server,
    path: "/graphql",
    maxPayload: maxBodyBytes,
    verifyClient: ({ req }: { req: IncomingMessage }, answer: (welcome: boolean, status?: number) => void) => {
      // Browsers do not apply CORS to web sockets: check the origin ourselves.
      if (!visitors.isWelcome(req)) answer(false, 401);
      else if (signIn.hasRoomFor(req)) answer(true);
      else answer(false, 429);
    },
  });
  sockets.on("connection", (socket, request) => {
    signIn.opened(socket, request);
    watchSocket(socket, MOST_ANSWERS_HELD * maxAnswerBytes);
    keepAlive(socket, request.socket);
  });
  return sockets;
}

/** Ends a connection of whose other side nothing is heard, and which takes nothing, from one ping to the next. */
function keepAlive(socket: WebSocket, connection: Socket): void {
  let isHeard = true;
  let { taken } = flowOf(connection);
  const hear = () => {
    isHeard = true;
  };
  socket.on("pong", hear);
  const timer = setInterval(() => {
    if (!isHeard && flowOf(connection).taken === taken) return socket.terminate();
    isHeard = false;
    socket.ping();
    // With the ping, which the system takes in any case where nothing is in front of it.
    ({ taken } = flowOf(connection));
  }, PING_MS);
  socket.once("close", () => clearInterval(timer));
}

/** Browsers cannot set headers on a web socket, so credentials are in `connectionParams`; other clients may use headers. */
function credentialsOf(params: Record<string, unknown> | undefined, { headers }: IncomingMessage): Credentials {
  const read = (name: string) => {
    const given = Object.entries(params ?? {}).find(([key]) => key.toLowerCase() === name)?.[1] ?? headers[name];
    return typeof given === "string" ? given : null;
  };
  return { authorization: read("authorization"), userId: read("x-user-id") };
}

function coded(errors: readonly GraphQLError[], services: Services): GraphQLError[] {
  return toClientErrors(errors, services).map(forSocket);
}

/** Without the status, of which there is none here. */
function forSocket(error: GraphQLError): GraphQLError {
  const { http, ...extensions } = error.extensions ?? {};
  if (http === undefined) return error;
  const { nodes, source, positions, path } = error;
  return new GraphQLError(error.message, { nodes, source, positions, path, extensions });
}

/** What Yoga gives of its pipeline: the functions with our plugins around them. */
type Enveloped = {
  schema: GraphQLSchema;
  parse: typeof parse;
  validate: typeof validate;
  execute: typeof execute;
  subscribe: typeof subscribe;
};
type EnvelopedArgs = ExecutionArgs & { rootValue: Pick<Enveloped, "execute" | "subscribe"> & { cause: RequestCause } };
