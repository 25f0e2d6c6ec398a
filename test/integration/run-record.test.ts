/** The search of a whole run for its secrets: that it sees what is said, and that it would find one. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { inject, expect, test } from "vitest";
import { createClient } from "graphql-ws";
import { serverUrl, startApp } from "../support/app.ts";
import { createOrganization } from "../support/journey.ts";
import { findLeaks, readSaid, readSecrets, recordSaid, recordSecret } from "../support/run-record.ts";
import { createApiKey, postAs } from "../support/signed-in.ts";

const runFolder = inject("runFolder");

test("answers, errors, events, logs, metrics and what is stored are on the record; so are the secrets", async () => {
  const app = await startApp();
  await createOrganization(app, "Recorded organization");
  await app.refuse('{ organization(id: "recorded-error") { id } }');
  const client = createClient({ url: `${app.url.replace("http", "ws")}/graphql` });
  for await (const _ of client.iterate({ query: "{ __typename recorded: __typename }" }));
  await client.dispose();
  app.services.logger.info("a recorded line");
  await app.services.home.query(
    "test.job",
    `insert into tenantry.jobs (id, kind, subject, requested_by, state, last_error)
     values (gen_random_uuid(), 'repair', 'x', 'system', 'FAILED', 'a recorded failure')`,
  );
  const { secret } = await createApiKey(app);
  await postAs(app, secret, "{ me { id } }");
  await app.stop();

  const said = readSaid(runFolder);
  const seen = (source: string, text: string) =>
    said.some((entry) => entry.source.startsWith(source) && entry.text.includes(text));
  expect(seen("an answer to /graphql", "INVALID_INPUT")).toBe(true);
  expect(seen("an answer of /graphql", "INVALID_INPUT")).toBe(true);
  expect(seen("a web socket", "recorded")).toBe(true);
  expect(seen("the log", "a recorded line")).toBe(true);
  expect(seen("an answer to /metrics", "tenantry_graphql_operation_seconds")).toBe(true);
  expect(seen("what is stored", "a recorded failure")).toBe(true);
  const secrets = readSecrets(runFolder);
  for (const used of [decodeURIComponent(new URL(serverUrl("home")).password), app.secretKey, secret])
    expect(secrets.has(used)).toBe(true);
});

test("a secret is found in each form, and what is meant to show it is not held against it", () => {
  const key = `tnk_${"0".repeat(32)}_${"k".repeat(43)}`;
  const bytes = Buffer.alloc(32, 7);
  const cases: [secret: string, text: string, found: boolean][] = [
    ["pass/word'1", "failed for postgres://u:pass/word'1@h", true],
    ["pass/word'1", "failed for postgres://u:pass%2Fword'1@h", true],
    ['pass"word1', JSON.stringify({ message: 'pass"word1' }), true],
    [bytes.toString("base64"), bytes.toString("hex"), true],
    ["password1", "another", false],
    ["password1", "    eu   postgres://postgres:password1@127.0.0.1:5432", false],
    ["password1", "region eu postgres://postgres:password1@127.0.0.1:5432", true],
    ["unused", `{"data":{"createApiKey":{"secret":"${key}"}}}`, false],
    ["unused", `{"data":{"createApiKey":{"secret":"${key}"}}}\n{"apiKeys":["${key}"]}`, true],
  ];
  for (const [secret, text, found] of cases) {
    const folder = mkdtempSync(join(runFolder, "planted-"));
    recordSecret(folder, secret);
    recordSaid(folder, "a test", text);
    const leaks = findLeaks(folder);
    expect({ text, found: leaks.length > 0 }).toEqual({ text, found });
    expect(leaks.join()).not.toContain(secret);
  }
});
