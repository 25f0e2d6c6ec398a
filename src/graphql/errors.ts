/** What clients see of an error: our own errors as they are, the rest masked as INTERNAL. */
import { GraphQLError } from "graphql";
import { isErrorCode, TenantryError } from "#kernel/errors";
import type { Logger } from "#observability/logger";

const MASKED_MESSAGE = "Something went wrong on our side.";

/** Makes the error that is sent; logs what is hidden. */
export function toClientError(error: unknown, logger: Logger): GraphQLError {
  const { original, located } = unwrap(error);
  const options =
    located === undefined
      ? {}
      : { nodes: located.nodes, source: located.source, positions: located.positions, path: located.path };
  if (original instanceof TenantryError && original.code !== "INTERNAL") {
    const { code, field, retryAfterSeconds } = original;
    const http = located?.extensions["http"];
    return new GraphQLError(original.message, {
      ...options,
      extensions: {
        code,
        ...(field === undefined ? {} : { field }),
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
        ...(http === undefined ? {} : { http }),
      },
    });
  }
  // Made here before.
  if (original === undefined && located !== undefined && isErrorCode(located.extensions["code"])) return located;
  // Raised by GraphQL itself about the request: a syntax error, an unknown field, a variable of the wrong type.
  if (original === undefined && located !== undefined)
    return new GraphQLError(located.message, {
      ...options,
      extensions: { ...located.extensions, code: "INVALID_INPUT" },
    });
  logger.error({ err: original ?? error }, "an unexpected error was masked");
  return new GraphQLError(MASKED_MESSAGE, { ...options, extensions: { code: "INTERNAL" } });
}

/** Finds what a resolver threw inside the layers that GraphQL and the server put around it. */
function unwrap(error: unknown): { original: unknown; located: GraphQLError | undefined } {
  if (!isGraphQLError(error)) return { original: error, located: undefined };
  let original: unknown = error.cause;
  while (isGraphQLError(original)) original = original.cause;
  return { original, located: error };
}

// By name: a second copy of the library (another module format, a bundler) makes errors of another class.
function isGraphQLError(error: unknown): error is GraphQLError {
  return error instanceof Error && error.name === "GraphQLError";
}
