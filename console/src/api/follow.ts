/**
 * Subscriptions as server-sent events over fetch, which can carry the key in a header, as EventSource cannot. While
 * nothing can be followed the pages poll; the stream is opened again by itself.
 */
import { type Operation, textOf } from "./graphql.ts";
import { problemsOf } from "./request.ts";
import { authorization, session } from "./session.ts";

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export type Follower<Data> = {
  onData: (data: Data) => void;
  /** Whether changes arrive by themselves now. */
  onLive: (isLive: boolean) => void;
};

/** Follows until the signal is aborted. */
export async function follow<Data, Variables>(
  operation: Operation<Data, Variables>,
  variables: Variables,
  { onData, onLive }: Follower<Data>,
  signal: AbortSignal,
): Promise<void> {
  const body = JSON.stringify({ query: textOf(operation), variables });
  let retryMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    try {
      for await (const event of openStream(body, signal)) {
        if (event.name === "open") {
          onLive(true);
          retryMs = FIRST_RETRY_MS;
        }
        if (event.name === "complete") break;
        if (event.name !== "next") continue;
        const answer = JSON.parse(event.data) as { data?: Data | null; errors?: { message: string }[] };
        if (problemsOf(answer).some(({ code }) => code !== "INTERNAL") && answer.data == null) break;
        if (answer.data != null) onData(answer.data);
      }
    } catch {
      // The network, or a server that stops: it is tried again below.
    }
    onLive(false);
    await pause(retryMs, signal);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  }
}

type StreamEvent = { name: string; data: string };

async function* openStream(body: string, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream", ...authorization(session.token) },
    body,
    signal,
    credentials: "omit",
  });
  if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) throw new Error("no stream");
  yield { name: "open", data: "" };
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk.replaceAll("\r\n", "\n");
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      yield eventOf(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function eventOf(block: string): StreamEvent {
  const event = { name: "message", data: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event.name = line.slice(6).trim();
    if (line.startsWith("data:")) event.data += line.slice(5).trimStart();
  }
  return event;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}
