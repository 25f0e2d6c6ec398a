/** What a region's server answers to the program's own questions, and what of it gets into answers to callers. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { nudge, sendHonest } from "../support/hostile-acts.ts";
import { type Stage, type StageServers, startStage, startStageServers, until } from "../support/hostile-region.ts";
import { expectHarmless } from "../support/hostile-snapshot.ts";

let servers: StageServers;
let stage: Stage;

beforeAll(async () => {
  servers = await startStageServers();
  stage = await startStage(servers, { method: "SUPERUSER" });
});
afterAll(async () => {
  await stage.stop();
  await servers[Symbol.asyncDispose]();
});

/** The carrier's question for slots finds this before PostgreSQL's own: it fits better, and stands beside it. */
const FUNCTION =
  "pg_catalog.json_build_object(text, name, text, text, text, text, text, boolean, text, text, text, numeric)";

/** Runs `work` while the function answers so. It is given whether the function was asked a few times. */
async function withFunction(
  { eu }: Stage,
  answer: string,
  work: (asked: () => Promise<boolean>) => Promise<void>,
): Promise<void> {
  const run = (text: string) => eu(text, [], "postgres");
  await run("create sequence public.asked");
  await run(`set allow_system_table_mods = on;
    create function ${FUNCTION} returns json language plpgsql as $$ begin perform nextval('public.asked'); ${answer} end $$`);
  // Statements that were prepared before go on with what they found then.
  await run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tenantry server'");
  const asked = async () => {
    const [row] = await eu<{ asked: number }>(
      "select case when is_called then last_value else 0 end::int as asked from public.asked",
      [],
      "postgres",
    );
    return (row?.asked ?? 0) >= 3;
  };
  try {
    await work(asked);
  } finally {
    await run(`set allow_system_table_mods = on; drop function ${FUNCTION}`);
    await run("drop sequence public.asked");
  }
}

/** Has the carrier look, the sweep survey and a person ask how replication is. */
async function look(): Promise<void> {
  await nudge(stage, stage.mine);
  await stage.home("update tenantry.links set checked_at = now() - interval '1 day'");
  await stage.app.sweep().catch(() => undefined);
}

test.each([
  ["30 MB", "return to_json(repeat('x', 30000000));"],
  ["more than there may be", "return to_json(repeat('x', 100000000));"],
  ["a text in place of rows", `return '"x"'::json;`],
  [
    "rows of other things",
    `return '{"name": {"toString": 1}, "confirmed": "x/y", "retained": "1e999", "__proto__": []}'::json;`,
  ],
  ["an error", "raise exception 'no';"],
  ["nothing", "return null;"],
])("a function among PostgreSQL's own answers the carrier with %s", async (_, answer) => {
  await sendHonest(stage);
  const before = process.memoryUsage().rss;
  await expectHarmless(stage, () =>
    withFunction(stage, answer, (asked) =>
      until("the carrier has asked", async () => {
        await look();
        return asked();
      }),
    ),
  );
  expect(process.memoryUsage().rss - before).toBeLessThan(600 * 1024 * 1024);
  await sendHonest(stage);
});

async function post(query: string, variables: object = {}): Promise<string> {
  const response = await fetch(`${stage.app.url}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return response.text();
}

/** They stand in a JSON text where a name was, from within its quotes. */
test.each([
  `x"},"b":{"name":"FORGED"},"z":{"y":"1`,
  `x"}},"errors":[{"message":"FORGED"}],"z":[{"`,
  `x"},"extensions":{"forged":"x"},"z":{"y":"1`,
  `x","name":"FORGED","__proto__":{"a":1},"b":"`,
  `x"}`,
  `x\\`,
  `x\u0000\ud800`,
  "x\n\t\r\u0001",
])("a text of the region cannot write what else is in an answer: %s", async (text) => {
  const query = `query ($mine: ID!, $other: ID!) {
    b: resource(id: $other) { name } a: resource(id: $mine) { name comments(first: 10) { edges { node { body } } } } }`;
  await expectHarmless(stage, async () => {
    const own = `Resource ${stage.mine.mark}`;
    using _ = servers.euByProxy.rewrite(own, text.padEnd(own.length, " "));
    const said = await post(query, { mine: stage.mine.resource, other: stage.other.resource });
    expect(said).not.toContain(own);
    const { data, ...rest } = JSON.parse(said) as { data: Record<string, unknown> | null; errors?: unknown };
    expect(Object.keys(rest).filter((key) => key !== "errors")).toEqual([]);
    expect(JSON.stringify(rest)).not.toContain("FORGED");
    // Whatever became of the region's own, the other's is the other's, for whoever takes the first of a name or the last.
    const honest = `{"b":{"name":"Resource ${stage.other.mark}"}`;
    expect(JSON.stringify({ b: (data ?? JSON.parse(`${honest}}`))["b"] })).toBe(`${honest}}`);
    expect(said).toMatch(data === null ? /"data":null/ : `"data":${honest}`);
    expect(Object.keys(data ?? {}).every((key) => ["a", "b"].includes(key))).toBe(true);
  });
});

test("moments that no Date can be end nothing", async () => {
  for (const column of ["name", "created_at", "updated_at"])
    await stage.eu(`alter table app.resources drop constraint if exists resources_${column}_check`);
  await stage.eu("alter table app.comments drop constraint if exists comments_created_at_check");
  await expectHarmless(stage, async () => {
    for (const moment of ["294276-12-31", "infinity", "-infinity", "4713-01-01 BC"]) {
      await stage.eu("update app.resources set created_at = $1 where id = $2", [moment, stage.mine.resource]);
      await stage.eu("update app.comments set created_at = $1", [moment]);
      for (const query of [
        "query ($id: ID!) { resource(id: $id) { createdAt comments(first: 10) { edges { node { createdAt } } } } }",
        "{ resources(first: 100) { edges { node { createdAt comments(first: 10) { edges { node { createdAt } } } } } } }",
      ])
        JSON.parse(await post(query, query.includes("$id") ? { id: stage.mine.resource } : {}));
      const { resource } = await stage.app.ask("query ($id: ID!) { resource(id: $id) { name } }", {
        id: stage.other.resource,
      });
      expect(resource.name).toBe(`Resource ${stage.other.mark}`);
    }
  });
});
