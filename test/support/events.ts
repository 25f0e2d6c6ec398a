/** Follows subscriptions over a web socket that can be cut, and goes on from a cursor. */
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import type { TestApp } from "./app.ts";

export type Message = {
  data?: any;
  errors?: readonly { message: string; extensions?: { code?: string } }[];
  extensions?: { cursor?: string };
};

export type Follower = {
  messages: Message[];
  /** Code of the error with which it ended; undefined: it goes on, or was completed. */
  code: () => string | undefined;
  cursor: () => string | undefined;
  /** Ends the connection without a word. */
  cut: () => Promise<void>;
};

/** `headers` are the caller's credentials; left out: the operator's. */
export function follow(
  { url }: Pick<TestApp, "url">,
  query: string,
  variables: object,
  headers: Record<string, string> = {},
): Follower {
  const sockets: WebSocket[] = [];
  class Kept extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      sockets.push(this);
    }
  }
  const client = createClient({
    url: `${url.replace("http", "ws")}/graphql`,
    webSocketImpl: Kept,
    connectionParams: headers,
    retryAttempts: 0,
  });
  const messages: Message[] = [];
  let code: string | undefined;
  const fail = (errors: Message["errors"]) => {
    code = errors?.[0]?.extensions?.code ?? code;
  };
  client.subscribe(
    { query, variables: { ...variables } },
    {
      next: (message) => {
        if (message.errors === undefined) messages.push(message as Message);
        fail(message.errors);
      },
      error: (error) => fail(Array.isArray(error) ? (error as Message["errors"]) : undefined),
      complete: () => undefined,
    },
  );
  return {
    messages,
    code: () => code,
    cursor: () => messages.at(-1)?.extensions?.cursor,
    cut: async () => {
      for (const socket of sockets) socket.terminate();
      await client.dispose();
    },
  };
}

/** Where events stand now. */
export async function eventCursor(app: TestApp): Promise<string> {
  return (await app.ask("{ eventCursor }")).eventCursor;
}
