/** What is scraped, from the port that has it without a key and from the API's: of servers, links, work, callers and pools. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { MOST_NAMED } from "#metrics/links";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { addDatabases } from "../support/fleet.ts";
import { type Forwarder, startForwarder, viaPort } from "../support/forwarder.ts";
import { addMember, createOrganization, createUser, grant, registerRegion } from "../support/journey.ts";
import { recordStatements } from "../support/statements.ts";

const ANEW = { timeout: 20_000, interval: 100 };

let app: TestApp;
let forwarder: Forwarder;
let organization: string;
let placement: string;

beforeAll(async () => {
  forwarder = await startForwarder(serverUrl("us"));
  // Databases are added without links below, which nothing is to mend.
  app = await startApp({
    metricsListen: { host: "127.0.0.1", port: 0 },
    replication: { sweepIntervalMs: 600_000 },
    api: { limits: { maxCost: 100_000, maxDepth: 8, actorPointsPerSecond: 50 } },
  });
  organization = await createOrganization(app, "Counted");
  await registerRegion(app, "eu", serverUrl("eu"));
  await registerRegion(app, "us", viaPort(serverUrl("us"), forwarder.port));
  await grant(app, organization, "us");
  placement = (await grant(app, organization, "eu")).id;
}, 60_000);
afterAll(async () => {
  await app.stop();
  await forwarder[Symbol.asyncDispose]();
});

async function scrape(path = ""): Promise<string> {
  const response = await fetch(`${app.metricsUrl}${path}`);
  expect(response.status).toBe(200);
  return response.text();
}

/** The value of one series, as it is written; undefined: there is none. */
async function value(series: string): Promise<number | undefined> {
  const line = (await scrape()).split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length));
}

describe("the port for metrics", () => {
  test("gives them without a key, to nobody's web page, and nothing else", async () => {
    const { metricsUrl = "" } = app;
    expect(new URL(metricsUrl).port).not.toBe(new URL(app.url).port);
    expect((await fetch(metricsUrl)).headers.get("content-type")).toContain("text/plain");
    expect((await fetch(metricsUrl, { method: "POST" })).status).toBe(405);
    expect((await fetch(new URL("/graphql", metricsUrl))).status).toBe(404);
    // fetch refuses to send such a header by itself.
    const headers = { "sec-fetch-site": "same-origin" };
    expect((await fetch(metricsUrl, { headers })).status).toBe(403);
  });

  test("that is taken ends the start with one sentence", async () => {
    const port = Number(new URL(app.metricsUrl ?? "").port);
    await expect(startApp({ metricsListen: { host: "127.0.0.1", port } })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken: set TENANTRY_METRICS_LISTEN to another address.`,
    );
  });

  test("is there in the role worker too, and a worker has what the API's processes have", async () => {
    const worker = await startApp({ role: "worker", metricsListen: { host: "127.0.0.1", port: 0 } });
    onTestFinished(() => worker.stop());
    const text = await (await fetch(worker.metricsUrl ?? "")).text();
    expect(text).toContain('tenantry_server_up{server="home"} 1');
  });
});

test("promtool has nothing to say", async () => {
  await app.ask("{ organizations(first: 1) { edges { node { id } } } }");
  expect(execFileSync("promtool", ["check", "metrics"], { input: await scrape(), encoding: "utf8" })).toBe("");
});

describe("servers", () => {
  test("say that they are there, of which version, and what is left", async () => {
    const text = await scrape();
    for (const server of ["home", "eu", "us"]) {
      expect(text).toContain(`tenantry_server_up{server="${server}"} 1`);
      expect(text).toMatch(new RegExp(`tenantry_server_info\\{server="${server}",version="1\\d\\.\\d+",address="`));
      expect(text).toMatch(new RegExp(`tenantry_server_limit_left\\{server="${server}",limit="slots"\\} [1-9]`));
      expect(text).toMatch(
        new RegExp(`tenantry_server_limit_used\\{server="${server}",limit="slots",owner="tenantry"\\} [1-9]`),
      );
      expect(text).toContain(`tenantry_server_breaker_open{server="${server}"} 0`);
      expect(text).toMatch(
        new RegExp(`tenantry_pool_connections\\{server="${server}",through="server",state="idle"\\} \\d`),
      );
      expect(text).toMatch(
        new RegExp(`tenantry_pool_wait_seconds_count\\{server="${server}",through="server"\\} [1-9]`),
      );
    }
    await expect.poll(() => value('tenantry_region_carried{region="eu"}'), ANEW).toBe(1);
  });

  test("that are away are 0, and what they would say is left out", async () => {
    await forwarder.shut();
    onTestFinished(async () => {
      await forwarder.open();
      await expect.poll(() => value('tenantry_server_up{server="us"}'), ANEW).toBe(1);
    });
    await expect.poll(() => value('tenantry_server_up{server="us"}'), ANEW).toBe(0);
    const text = await scrape();
    expect(text).toContain('tenantry_server_up{server="eu"} 1');
    expect(text).toContain('tenantry_server_breaker_open{server="us"} 1');
    expect(text).not.toContain('tenantry_server_clock_difference_seconds{server="us"}');
    expect(text).not.toContain('tenantry_server_reachable_since_timestamp_seconds{server="us"}');
    await expect.poll(() => value('tenantry_links{region="us",direction="catalog",state="unknown"}'), ANEW).toBe(1);
    expect(text).toContain('tenantry_reading_success{reading="links"} 1');
  });
});

describe("links", () => {
  test("are counted by state, and their wakes as they come", async () => {
    await addMember(app, organization, await createUser(app));
    await expect
      .poll(() => value('tenantry_link_wakes_total{region="eu",direction="directory"}'), ANEW)
      .toBeGreaterThan(0);
    await expect.poll(() => value('tenantry_links{region="eu",direction="directory",state="parked"}'), ANEW).toBe(1);
    expect(await value('tenantry_link_lag_seconds{region="eu",direction="directory"}')).toBe(0);
    expect(await value('tenantry_links_with_problem{region="eu",direction="directory"}')).toBe(0);
    expect(await value('tenantry_link_refused_rows{region="eu"}')).toBe(0);
  });

  test("of databases without any are named up to a bound, and the other figures stay as many", async () => {
    const series = async () => (await scrape()).split("\n").filter((line) => line.startsWith("tenantry_")).length;
    const before = await series();
    await addDatabases(app, "eu", serverUrl("eu"), 40);
    await expect
      .poll(() => value('tenantry_links_with_problem{region="eu",direction="catalog"}'), ANEW)
      .toBeGreaterThanOrEqual(40);
    const named = (await scrape()).match(/^tenantry_unwell_link_lag_seconds\{region="eu",database="tenantry_\w+"/gm);
    expect(named).toHaveLength(MOST_NAMED);
    // Three of each that is named, and placements of one more kind at most.
    expect(await series()).toBeLessThanOrEqual(before + 3 * MOST_NAMED + 10);
  }, 60_000);
});

describe("work", () => {
  test("is counted: placements, jobs and attempts at them", async () => {
    const text = await scrape();
    expect(text).toMatch(/tenantry_placements\{region="us",state="ACTIVE",schema_version="\d+"\} 1/);
    expect(text).toContain('tenantry_placements_outdated{region="us"} 0');
    expect(text).toContain('tenantry_jobs{kind="provision-placement",state="FAILED"} 0');
    expect(text).toContain('tenantry_job_oldest_due_seconds{kind="erase-user"} 0');
    expect(text).toContain('tenantry_job_attempts_total{kind="provision-placement",outcome="done"} 2');
  });

  test("that fails is counted with its attempts", async () => {
    const failing = 'tenantry_jobs_failing{kind="erase-user"}';
    await sql(
      app.databaseUrl,
      `insert into tenantry.jobs (id, kind, subject, requested_by, state, attempts, last_error, due_at)
       values (gen_random_uuid(), 'erase-user', 'nobody', 'operator', 'WAITING', 7, 'It failed.', now() + interval '1 hour')`,
    );
    await expect.poll(() => value(failing), ANEW).toBe(1);
    expect(await value('tenantry_job_most_attempts{kind="erase-user"}')).toBe(7);
  });
});

describe("operations", () => {
  const counted = async (series: string, act: () => Promise<unknown>, by = 1) => {
    const before = (await value(series)) ?? 0;
    await act();
    expect(await value(series)).toBe(before + by);
  };
  const post = (body: object, headers: Record<string, string> = {}) =>
    fetch(`${app.url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    }).then((response) => response.text());
  /** Answered by one way that is short, and one by way of the server's pipeline. */
  const ways: [string, Record<string, string>][] = [
    ["the short way", {}],
    ["the long way", { accept: "application/json; charset=utf-8" }],
  ];

  describe.each(ways)("by %s", (_, headers) => {
    test("that run are counted with their outcome", async () => {
      const series = (outcome: string) => `tenantry_graphql_operation_seconds_count{kind="query",outcome="${outcome}"}`;
      await counted(series("ok"), () => post({ query: "{ __typename }" }, headers));
      await counted(series("error"), () => post({ query: '{ organization(id: "nobody") { id } }' }, headers));
    });

    test("that never run are counted by where they ended", async () => {
      await counted('tenantry_graphql_refused_total{stage="parse"}', () => post({ query: "{" }, headers));
      await counted('tenantry_graphql_refused_total{stage="validate"}', () => post({ query: "{ nothing }" }, headers));
      await counted('tenantry_graphql_refused_total{stage="known_operations"}', () =>
        post({ extensions: { persistedQuery: { version: 1, sha256Hash: "0".repeat(64) } } }, headers),
      );
      await counted('tenantry_graphql_refused_total{stage="sign_in"}', () =>
        post({ query: "{ __typename }" }, { ...headers, "x-user-id": "01900000-0000-7000-8000-000000000000" }),
      );
      await counted('tenantry_graphql_errors_total{code="INVALID_INPUT"}', () => post({ query: "{" }, headers));
    });

    test("that a limit refuses are counted by the limit", async () => {
      const deep =
        "{ organization(id: 1) { members { edges { node { user { organizations { edges { node { id } } } } } } } } }";
      await counted('tenantry_limit_refusals_total{limit="document"}', () => post({ query: deep }, headers));
      const user = await createUser(app);
      const dear = `{ organizations(first: 100) { edges { node { members(first: 100) { edges { node { role } } } } } } }`;
      // More than the points that are saved up: the next operation has none left.
      await post({ query: dear }, { ...headers, "x-user-id": user });
      await counted('tenantry_limit_refusals_total{limit="points"}', () =>
        post({ query: dear }, { ...headers, "x-user-id": user }),
      );
    });
  });

  test("that are followed are counted while they are open", async () => {
    const client = createClient({ url: `${app.url.replace("http", "ws")}/graphql`, webSocketImpl: WebSocket });
    const open = "tenantry_graphql_subscriptions_open";
    expect(await value(open)).toBe(0);
    const end = client.subscribe(
      { query: `subscription { placementChanged(id: "${placement}") { id } }` },
      { next: () => undefined, error: () => undefined, complete: () => undefined },
    );
    await expect.poll(() => value(open), ANEW).toBe(1);
    end();
    await expect.poll(() => value(open), ANEW).toBe(0);
    await client.dispose();
  });
});

test("a scrape asks home and the servers once, however many come at the same time", async () => {
  using statements = recordStatements();
  await Promise.all(Array.from({ length: 10 }, () => scrape()));
  expect(statements.sent.filter(({ name }) => name === "readings.jobs").length).toBeLessThanOrEqual(1);
  expect(statements.sent.filter(({ name }) => name === "probe").length).toBeLessThanOrEqual(3);
});

test("no metric has an id of an organization or a secret", async () => {
  const text = await scrape();
  expect(text).not.toContain(organization);
  expect(text).not.toContain("Counted");
  expect(text).not.toContain(app.secretKey);
});
