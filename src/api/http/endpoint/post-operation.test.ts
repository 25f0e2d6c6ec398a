import type { IncomingMessage, ServerResponse } from "node:http";
import { parse } from "graphql";
import { expect, test } from "vitest";
import { Metrics } from "#base/observability/metrics";
import { answerOperation } from "#api/http/endpoint/post-operation";

test("what cannot be written as JSON is answered by an error with a code", async () => {
  const logged: unknown[] = [];
  let sent = "";
  const pipeline = {
    parse,
    validate: () => [],
    contextFactory: () => ({}),
    execute: () => ({ data: { much: 1n } }),
  };
  const parts = {
    services: { logger: { error: (entry: unknown) => logged.push(entry) }, metrics: new Metrics() },
    guard: { identify: () => Promise.resolve({ actor: { kind: "operator" } }) },
    settings: { limits: { maxAnswerBytes: 1_000 }, trustedProxies: [] },
    persisted: { textOf: () => undefined },
    endpoint: { getEnveloped: () => pipeline },
  };
  const socket = { destroyed: false, once: () => undefined, remoteAddress: "127.0.0.1" };
  const request = { headers: {}, socket };
  const response = {
    writeHead: () => undefined,
    end: (text: string) => {
      sent = text;
    },
  };
  const body = Buffer.from('{"query":"{ much }"}');
  expect(
    await answerOperation(
      parts as unknown as Parameters<typeof answerOperation>[0],
      request as unknown as IncomingMessage,
      response as unknown as ServerResponse,
      body,
    ),
  ).toBe(true);
  expect(JSON.parse(sent)).toMatchObject({
    errors: [{ extensions: { code: "INTERNAL" } }],
  });
  expect(logged).toHaveLength(1);
});
