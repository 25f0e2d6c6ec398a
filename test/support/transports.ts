/** One operation over each transport that the API has, and the first error that comes back. */
import { createClient } from "graphql-ws";
import type { TestApp } from "./app.ts";

export type FirstError = { code: string; message: string; retryAfterSeconds?: number } | undefined;
type Errors = { message: string; extensions: { code: string; retryAfterSeconds?: number } }[];
type Ask = { query: string; variables?: Record<string, unknown>; headers?: Record<string, string> };

export const TRANSPORTS = ["HTTP", "server-sent events", "a web socket"] as const;

/** Undefined: there was no error. */
export async function firstErrorOver(
  transport: (typeof TRANSPORTS)[number],
  { url }: Pick<TestApp, "url">,
  ask: Ask,
): Promise<FirstError> {
  if (transport === "a web socket") return overSocket(url, ask);
  const { query, variables = {}, headers } = ask;
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: transport === "HTTP" ? "application/json" : "text/event-stream",
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });
  const text = await response.text();
  const json = transport === "HTTP" ? text : (/^data: (\{.*\})$/m.exec(text)?.[1] ?? "");
  return first((JSON.parse(json) as { errors?: Errors }).errors);
}

/** With which a socket is closed that did not sign in. */
const SIGN_IN_CODES: Record<number, string> = {
  4401: "UNAUTHENTICATED",
  4403: "UNAUTHENTICATED",
  4429: "LIMIT_EXCEEDED",
};

async function overSocket(url: string, { query, variables = {}, headers }: Ask): Promise<FirstError> {
  const client = socketClient(url, headers);
  try {
    const { value } = await client.iterate({ query, variables }).next();
    return first((value as { errors?: Errors } | undefined)?.errors);
  } catch (error) {
    const code = SIGN_IN_CODES[(error as CloseEvent).code];
    if (code !== undefined) return { code, message: (error as CloseEvent).reason };
    if (!Array.isArray(error)) throw error;
    return first(error as Errors);
  } finally {
    await client.dispose();
  }
}

/** A client of the web socket that shows these headers as its `connectionParams`. */
export function socketClient(url: string, headers: Record<string, string> = {}) {
  return createClient({
    url: `${url.replace("http", "ws")}/graphql`,
    connectionParams: headers,
    retryAttempts: 0,
  });
}

function first(errors: Errors | undefined): FirstError {
  const error = errors?.[0];
  return error === undefined ? undefined : { message: error.message, ...error.extensions };
}
