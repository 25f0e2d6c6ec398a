/** Follows a subscription over server-sent events until its first answer. */
import { waitFor } from "../../src/base/kernel/wait.ts";
import type { Answer } from "./signed-in.ts";
import type { TestApp } from "./app.ts";

/**
 * The first answer. Nothing says when a subscription has begun, so `happen` is called again and again until something
 * has come; left out: it comes by itself.
 */
export async function firstAnswer(
  { url }: Pick<TestApp, "url">,
  token: string | undefined,
  request: { query: string; variables: object },
  happen?: () => Promise<unknown>,
): Promise<Pick<Answer, "data" | "errors">> {
  const leaving = new AbortController();
  const stream = await fetch(`${url}/graphql`, {
    method: "POST",
    signal: leaving.signal,
    headers: {
      "content-type": "application/json",
      accept: "text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(request),
  });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let isOver = false;
  const read = (async () => {
    while (!/^data: *(\{.*\})\s*$/m.test(text) && !isOver) {
      const next = await reader?.read();
      if (next === undefined || next.done) break;
      text += next.value;
    }
    isOver = true;
  })();
  await waitFor(
    async () => {
      if (!isOver) await happen?.();
      return isOver ? true : undefined;
    },
    { timeoutMs: 10_000, pauseMs: 25 },
  );
  if (isOver) await read;
  const body = /^data: *(\{.*\})\s*$/m.exec(text)?.[1] ?? text;
  leaving.abort();
  await reader?.cancel().catch(() => undefined);
  return JSON.parse(body === "" ? '{"errors":[]}' : body) as Pick<Answer, "data" | "errors">;
}
