/** One operation over HTTP. */
import { type Operation, textOf } from "./graphql.ts";
import { authorization, session } from "./session.ts";

const ENDPOINT = "/graphql";
/** The API ends an operation sooner; this is for a network that swallows everything. */
const TIMEOUT_MS = 30_000;

export type Problem = { code: string; message: string; path?: string; field?: string };

/** The API refused, or could not be reached. The message is for people. */
export class ApiError extends Error {
  readonly code: string;
  readonly field: string | undefined;
  override name = "ApiError";

  constructor({ code, message, field }: Problem) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

/** Data, and what could not be read of it: a field is null then, and its sentence is here. */
export type Answer<Data> = { data: Data; problems: Problem[] };

type Body = {
  data?: unknown;
  errors?: { message: string; path?: (string | number)[]; extensions?: { code?: string; field?: string } }[];
};

/** Throws ApiError where there is no data at all. `token`: in place of the session's, to try it. */
export async function request<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: Variables,
  signal?: AbortSignal,
  token = session.token,
): Promise<Answer<Data>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(ENDPOINT, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json",
      ...authorization(token),
    },
    body: JSON.stringify({ query: textOf(operation), variables }),
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    credentials: "omit",
  }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error;
    throw new ApiError({ code: "OFFLINE", message: "The API does not answer. The page tries again by itself." });
  });
  const body = await readBody(response);
  const problems = problemsOf(body);
  if (body.data != null) return { data: body.data as Data, problems };
  const [first] = problems;
  // A key that was revoked while the page was open: the next page shown is the one to sign in.
  if (first?.code === "UNAUTHENTICATED" && token !== undefined && token === session.token) session.set(undefined);
  throw new ApiError(first ?? { code: "INTERNAL", message: `The API answered with status ${response.status}.` });
}

async function readBody(response: Response): Promise<Body> {
  try {
    return (await response.json()) as Body;
  } catch {
    throw new ApiError({ code: "OFFLINE", message: `The API's answer cannot be read (status ${response.status}).` });
  }
}

export function problemsOf({ errors = [] }: Body): Problem[] {
  return errors.map(({ message, path, extensions }) => ({
    message,
    code: extensions?.code ?? "INTERNAL",
    ...(path === undefined ? {} : { path: path.join(".") }),
    ...(extensions?.field === undefined ? {} : { field: extensions.field }),
  }));
}
