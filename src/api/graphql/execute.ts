/**
 * Executing with the executor of the reference implementation. The server's own lets go of the promises of a list's earlier
 * items when a later one throws at once: they then fail with nobody listening, which ends a process. This one takes the
 * errors of all work that it abandons (its AsyncWorkTracker), also when the signal is aborted.
 */
import { execute, type ExecutionArgs, type ExecutionResult, GraphQLError, subscribe } from "graphql";
import { afterWriting } from "#engine/failures/after-writing";
import type { GraphQLContext } from "#api/graphql/context";

/** Executes a query or mutation. What is wrong with the operation itself has status 400, as it did not run. */
export async function executeOperation(args: ExecutionArgs): Promise<ExecutionResult> {
  const result = await execute(args);
  const written = (args.contextValue as GraphQLContext | undefined)?.written;
  return withStatus(written === undefined || written.size === 0 ? result : sayingWritten(result, written));
}

/** Errors of the answers of mutations that have written something. */
function sayingWritten(result: ExecutionResult, written: ReadonlySet<string>): ExecutionResult {
  const errors = result.errors?.map((error) => {
    if (!written.has(String(error.path?.[0]))) return error;
    const cause = afterWriting(error.cause);
    if (cause === error.cause || !(cause instanceof Error)) return error;
    const { nodes, source, positions, path } = error;
    return new GraphQLError(cause.message, { nodes, source, positions, path, cause });
  });
  return errors === undefined ? result : { ...result, errors };
}

/** Begins to follow a subscription. Its events are executed likewise. */
export async function followOperation(
  args: ExecutionArgs,
): Promise<AsyncGenerator<ExecutionResult, void, void> | ExecutionResult> {
  const followed = await subscribe(args);
  return "next" in followed
    ? withCursors(followed, args.contextValue as GraphQLContext | undefined)
    : withStatus(followed);
}

type Results = AsyncGenerator<ExecutionResult, void, void>;

/** Each event's message says how to go on behind it. Events are executed one after the other. */
function withCursors(results: Results, context: GraphQLContext | undefined): Results {
  if (context === undefined) return results;
  const next = results.next.bind(results);
  results.next = async () => {
    delete context.cursor;
    const result = await next();
    const { cursor } = context;
    if (result.done === true || cursor === undefined) return result;
    return { ...result, value: { ...result.value, extensions: { ...result.value.extensions, cursor } } };
  };
  return results;
}

/** Without `data` there was no execution: GraphQL over HTTP has a status for that. */
function withStatus(result: ExecutionResult): ExecutionResult {
  const { errors } = result;
  if (errors === undefined || "data" in result) return result;
  return { errors: errors.map(asRefused) };
}

function asRefused(error: GraphQLError): GraphQLError {
  // An error of a resolver, which was thrown while subscribing.
  if (error.path !== undefined) return error;
  const { message, nodes, source, positions, cause } = error;
  const extensions = {
    ...error.extensions,
    http: { status: 400, ...error.extensions["http"] },
  };
  return new GraphQLError(message, { nodes, source, positions, cause, extensions });
}
