/** Calls with tokens and keys. */
import { OPERATOR } from "../../src/engine/auth/actor.ts";
import { type ApiKey, createApiKey as create } from "../../src/engine/auth/api-keys.ts";
import type { TestApp } from "./app.ts";

export type Answer = {
  status: number;
  headers: Headers;
  data: any;
  errors?: { message: string; extensions: { code: string; field?: string } }[];
};

/** Sends an operation with a token or key; undefined: with none. */
export async function postAs(
  { url }: Pick<TestApp, "url">,
  token: string | undefined,
  query: string,
  variables: object = {},
): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as Pick<Answer, "data" | "errors">;
  return { status: response.status, headers: response.headers, data, ...(errors === undefined ? {} : { errors }) };
}

/** Makes an operator's key, or one of an organization, as the command line does. */
export function createApiKey(
  { services }: Pick<TestApp, "services">,
  input: Partial<Parameters<typeof create>[2]> = {},
): Promise<{ key: ApiKey; secret: string }> {
  return create(services, OPERATOR, { name: "Test", organizationId: null, role: null, expiresInDays: 1, ...input });
}
