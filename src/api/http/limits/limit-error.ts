/** A refusal as an error of GraphQL, with the HTTP status that fits it. */
import { GraphQLError } from "graphql";
import type { TenantryError } from "#base/kernel/errors";

/**
 * The status is 429 when it is a matter of time, else 400 as for any operation that is not run. With `spec`, clients that
 * take `application/json` only get 200, as GraphQL over HTTP has it for what is wrong with an operation.
 */
export function limitError(cause: TenantryError, status = 400): GraphQLError {
  const { retryAfterSeconds } = cause;
  const http =
    retryAfterSeconds === undefined
      ? { status, spec: status === 400 }
      : { status: 429, headers: { "retry-after": String(retryAfterSeconds) } };
  return new GraphQLError(cause.message, { cause, extensions: { http } });
}
