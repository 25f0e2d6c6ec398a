/** An operation sent the short way, where it can be planned as a statement, and the long way, where nothing is planned. */
import { getOperationAST, type GraphQLSchema, parse, validate } from "graphql";
import { expect } from "vitest";
import { planOf } from "../../src/api/graphql/plan/plan.ts";
import type { TestApp } from "./app.ts";

const SHORT = "application/json";
/** An unusual `accept`. */
const LONG = "application/json; charset=utf-8";

type Response = { status: number; headers: Record<string, string>; text: string };
type Comparable = Omit<Response, "text"> & { body: string };

/** Sends a body, as JSON where it is no text, and leaves out of the answer what every answer has anew. */
export async function send(
  { url }: Pick<TestApp, "url">,
  body: unknown,
  accept: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const response = await fetch(url, {
    method: "POST",
    // One id: else the answers would differ by it.
    headers: { "content-type": "application/json", "x-request-id": "both-ways", accept, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const kept = [...response.headers].filter(
    ([name]) =>
      !["date", "content-length", "transfer-encoding", "connection", "keep-alive", "ratelimit"].includes(name),
  );
  return { status: response.status, headers: Object.fromEntries(kept), text: await response.text() };
}

/** Both answers, of which the errors may come in another order. */
export async function bothWays(
  app: Pick<TestApp, "url">,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ short: Comparable; long: Comparable }> {
  const [short, long] = await Promise.all([send(app, body, SHORT, headers), send(app, body, LONG, headers)]);
  return { short: inOrder(short), long: inOrder(long) };
}

export function inOrder({ text, ...rest }: Response): Comparable {
  const body = JSON.parse(text) as { errors?: { path?: unknown }[] };
  body.errors?.sort((one, other) => JSON.stringify(one.path).localeCompare(JSON.stringify(other.path)));
  // The order of members is part of the answer.
  return { ...rest, body: JSON.stringify(body) };
}

/** Whether the operation is answered by statements that are made of shapes. Fails for one that is not valid. */
export function isPlanned(query: string, schema: GraphQLSchema): boolean {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  const operation = getOperationAST(document);
  return operation != null && planOf(schema, document, operation) !== null;
}
