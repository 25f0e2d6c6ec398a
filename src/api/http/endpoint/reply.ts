/**
 * How answers go out: what those of one request may hold together, and when they have been sent. An operation's permit is
 * given back only then, as its answer is held until the caller has taken it.
 */
import type { ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { Reply } from "#api/graphql/context";
import { AnswerBytes } from "#base/kernel/answer-size";

const replies = new WeakMap<ServerResponse, Reply>();

/** One reply for all operations of a request, which may be several. */
export function replyOver(response: ServerResponse, maxBytes: number): Reply {
  const found = replies.get(response);
  if (found !== undefined) return found;
  let running = 0;
  let held: (() => void) | undefined;
  const letGo = () => {
    held?.();
    held = undefined;
  };
  response.once("close", letGo);
  const reply: Reply = {
    limit: ({ policy, state }) => {
      if (response.headersSent) return;
      response.setHeader("ratelimit-policy", policy);
      response.setHeader("ratelimit", state);
    },
    bytes: new AnswerBytes(maxBytes),
    begin: () => {
      running += 1;
      // The request is not answered yet: whoever waits for the permit may be of the same one.
      letGo();
    },
    end: (release) => {
      running -= 1;
      letGo();
      if (running > 0 || response.closed || response.destroyed) release();
      else held = release;
    },
  };
  replies.set(response, reply);
  return reply;
}

/** Of a web socket, what has not been taken by the system yet, and what waits for that. */
type Outbox = { pending: number; readonly held: Set<() => void> };

const outboxes = new WeakMap<WebSocket, Outbox>();

/**
 * Looks at what is sent on a web socket from now on. One whose caller does not read, and for which more than `maxHeldBytes`
 * wait, is ended.
 */
export function watchSocket(socket: WebSocket, maxHeldBytes: number): void {
  const outbox: Outbox = { pending: 0, held: new Set() };
  outboxes.set(socket, outbox);
  const send = socket.send.bind(socket) as (data: string, done: (error?: Error | null) => void) => void;
  socket.send = ((data: string, done: () => void) => {
    outbox.pending += 1;
    send(data, (error?: Error | null) => {
      outbox.pending -= 1;
      letGoOf(outbox);
      // The connection is gone, which is no fault of ours: nobody is to be told.
      if (error != null) socket.terminate();
      done();
    });
    if (socket.bufferedAmount > maxHeldBytes) socket.terminate();
  }) as typeof socket.send;
  socket.once("close", () => {
    outbox.pending = 0;
    letGoOf(outbox);
  });
}

function letGoOf(outbox: Outbox): void {
  if (outbox.pending > 0) return;
  for (const release of outbox.held) release();
  outbox.held.clear();
}

/** Of one operation on a web socket that {@link watchSocket} looks at. */
export function replyOn(socket: WebSocket, maxBytes: number): Reply {
  return {
    bytes: new AnswerBytes(maxBytes),
    begin: () => undefined,
    end: (release) => {
      const outbox = outboxes.get(socket);
      if (outbox === undefined || socket.readyState === socket.CLOSED) return release();
      outbox.held.add(release);
      // By then the answer is being sent, or its caller has ended the operation and nothing will be.
      setImmediate(() => letGoOf(outbox));
    },
  };
}
