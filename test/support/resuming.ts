/** Clients that go on behind the last event that they have seen, as docs/how-to/follow-events.md shows them. */
import type { Client } from "graphql-ws";

/** A client of which each subscription with a variable `after` goes on where it was when its socket comes back. */
export const resuming = (client: Client): Client => ({
  ...client,
  subscribe: (payload, sink) => {
    // The client sends this very object again when it comes back.
    const variables: Record<string, unknown> = { ...payload.variables };
    return client.subscribe(
      { ...payload, variables },
      {
        next: (message) => {
          variables["after"] = (message as Told).extensions?.cursor ?? variables["after"];
          sink.next(message as never);
        },
        error: (error) => sink.error(error),
        complete: () => sink.complete(),
      },
    );
  },
});

type Told = { data?: unknown; errors?: unknown; extensions?: { cursor?: string } };

/** The same over server-sent events. Tells each event, until the signal is aborted or there is an error. */
export async function followOverHttp(
  url: () => string,
  request: { query: string; variables: Record<string, unknown> },
  headers: Record<string, string>,
  signal: AbortSignal,
  untilThere: () => Promise<void>,
  tell: (told: Told) => void,
): Promise<void> {
  const variables = { ...request.variables };
  while (!signal.aborted) {
    const response = await fetch(url(), {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
      body: JSON.stringify({ ...request, variables }),
      signal,
    }).catch(() => undefined);
    let text = "";
    try {
      for await (const part of response?.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        text += part;
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const data = /^data: ?(.+)$/m.exec(text.slice(0, end))?.[1];
          text = text.slice(end + 2);
          if (data === undefined) continue;
          const told = JSON.parse(data) as Told;
          tell(told);
          if (told.errors !== undefined) return;
          variables["after"] = told.extensions?.cursor ?? variables["after"];
        }
      }
    } catch {
      // Cut: it comes back.
    }
    if (!signal.aborted) await untilThere();
  }
}
