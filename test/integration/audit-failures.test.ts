/** The audit log when something goes wrong, in pages with a region that is away, and on the command line. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { armFailpoint } from "../../src/base/kernel/failpoints.ts";
import { startApp, sql, type TestApp } from "../support/app.ts";
import { AUDIT_LOG, entriesOf } from "../support/audit.ts";
import {
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { type OwnServer, startServer, temporaryFolder } from "../support/servers.ts";

let app: TestApp;
let own: OwnServer;
let acme: string;
let owner: string;
let placement: string;
let region: string;
let resource: string;

beforeAll(async () => {
  own = await startServer();
  app = await startApp();
  owner = await createUser(app, "Owner");
  acme = await createOrganization(app, "Acme", owner);
  await registerRegion(app, "own", own.url());
  const granted = await grant(app, acme, "own");
  placement = granted.id;
  region = own.url(granted.database);
  resource = await createResource(app, { name: "Plans", organizationId: acme }, owner);
});
afterAll(async () => {
  await app.stop();
  await own[Symbol.asyncDispose]();
});

const COMMENT = "mutation ($input: CreateCommentInput!) { createComment(input: $input) { id } }";
const ORGANIZATION = "mutation ($input: CreateOrganizationInput!) { createOrganization(input: $input) { id } }";
const newest = async (organizationId: string | null = null) => (await entriesOf(app, organizationId, undefined, 1))[0];
const bodies = () =>
  sql<{ body: string }>(region, "select body from app.comments").then((rows) => rows.map(({ body }) => body));

/** Changes a database for as long as `work` takes. */
async function meanwhile(url: string, change: string, back: string, work: () => Promise<void>): Promise<void> {
  await sql(url, change);
  try {
    await work();
  } finally {
    await sql(url, back);
  }
}
const FULL = "alter table tenantry.audit_log add constraint full_up check (false) not valid";
const NOT_FULL = "alter table tenantry.audit_log drop constraint full_up";
const AWAY = "alter table tenantry.audit_log rename to away";
const BACK = "alter table tenantry.away rename to audit_log";

describe("what cannot be recorded is not done", () => {
  test("at home, and a refusal is not told either", async () => {
    await meanwhile(app.databaseUrl, FULL, NOT_FULL, async () => {
      const refusal = { code: "CAPABILITY_MISSING", message: expect.stringContaining("audit log") };
      expect(await app.refuse(ORGANIZATION, { input: { name: "Unrecorded" } })).toMatchObject(refusal);
      const stranger = { input: { resourceId: resource, body: "Unrecorded" } };
      expect(await app.refuse(COMMENT, stranger)).toMatchObject(refusal);
      expect(await app.refuse('mutation { createResource(input: { name: "Unrecorded" }) { id } }')).toMatchObject(
        refusal,
      );
    });
    expect(await sql(app.databaseUrl, "select from tenantry.organizations where name = 'Unrecorded'")).toEqual([]);
    expect(await sql(app.databaseUrl, "select from catalog.resources where name = 'Unrecorded'")).toEqual([]);
    expect(await bodies()).not.toContain("Unrecorded");
  });

  test("in a region, though home could record it", async () => {
    await meanwhile(region, FULL, NOT_FULL, async () => {
      const input = { resourceId: resource, body: "Unrecorded" };
      expect(await app.refuse(COMMENT, { input }, owner)).toMatchObject({ code: "CAPABILITY_MISSING" });
    });
    expect(await bodies()).not.toContain("Unrecorded");
    expect(await newest()).toMatchObject({
      action: "createComment",
      outcome: "CAPABILITY_MISSING",
      subjectId: resource,
    });
  });

  test("in a region that has lost its log", async () => {
    await meanwhile(region, AWAY, BACK, async () => {
      const input = { resourceId: resource, body: "Without a log" };
      expect(await app.refuse(COMMENT, { input }, owner)).toMatchObject({ code: "CAPABILITY_MISSING" });
    });
    expect(await bodies()).not.toContain("Without a log");
    expect(await newest()).toMatchObject({ action: "createComment", outcome: "CAPABILITY_MISSING" });
  });
});

test("an outcome that cannot be written changes nothing for the caller: it was done, and the log does not know", async () => {
  const hidden = "alter table tenantry.audit_outcomes rename to hidden";
  const disarm = armFailpoint("audit/done", async () => {
    disarm();
    await sql(app.databaseUrl, hidden);
  });
  try {
    const { createOrganization: made } = await app.ask(ORGANIZATION, { input: { name: "Done" } });
    expect(await sql(app.databaseUrl, "select from tenantry.organizations where id = $1", [made.id])).toHaveLength(1);
  } finally {
    await sql(app.databaseUrl, "alter table tenantry.hidden rename to audit_outcomes");
  }
  expect(await newest()).toMatchObject({ action: "createOrganization", outcome: "UNKNOWN", subjectId: null });
});

/** An API in a process of its own that stops at a failpoint. */
async function startCrashing() {
  const program = fileURLToPath(new URL("../support/worker-to-crash.ts", import.meta.url));
  const options = { databaseUrl: app.databaseUrl, secretKey: app.secretKey, role: "api" };
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const hear = async (start: string) => {
    const line = await eventually(async () => lines.find((one) => one.startsWith(start)), 20_000);
    if (line === undefined) throw new Error(`${start} was expected; it said ${lines.join(" | ")}`);
    return line.slice(start.length).trim();
  };
  const url = await hear("url ");
  await hear("ready");
  return {
    stopAt: async (failpoint: string, name: string) => {
      child.stdin.write(`arm ${failpoint}\n`);
      await hear(`armed ${failpoint}`);
      // Nobody waits for its answer, which never comes.
      fetch(`${url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: ORGANIZATION, variables: { input: { name } } }),
      }).catch(() => undefined);
      await hear(`at ${failpoint}`);
    },
    kill: async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test.each([
  ["audit/begun", 0],
  ["audit/done", 1],
])(
  "a process that is killed at %s leaves an entry whose outcome nobody knows",
  async (failpoint, made) => {
    const name = `Killed at ${failpoint}`;
    const crashing = await startCrashing();
    try {
      await crashing.stopAt(failpoint, name);
    } finally {
      await crashing.kill();
    }
    expect(await newest()).toMatchObject({ action: "createOrganization", outcome: "UNKNOWN", subjectId: null });
    expect(await sql(app.databaseUrl, "select from tenantry.organizations where name = $1", [name])).toHaveLength(made);
  },
  60_000,
);

test("a region that is down is an error, or left out and named; its owner still sees the rest", async () => {
  await own.server.stop("fast");
  try {
    const refused = await app.refuse(COMMENT, { input: { resourceId: resource, body: "Lost" } }, owner);
    expect(refused).toMatchObject({ code: "REGION_UNAVAILABLE" });
    const error = await app.refuse(AUDIT_LOG, { id: acme }, owner);
    expect(error).toMatchObject({ code: "REGION_UNAVAILABLE", message: expect.stringContaining("region own") });
    const { auditLog } = await app.ask(AUDIT_LOG, { id: acme, without: true }, owner);
    expect(auditLog.missingRegions).toEqual(["own"]);
    expect(auditLog.edges[0].node).toMatchObject({
      action: "createComment",
      outcome: "REGION_UNAVAILABLE",
      subjectId: resource,
      placementId: placement,
    });
  } finally {
    await own.server.start();
  }
  const whole = async () =>
    (await entriesOf(app, acme, owner).catch(() => [])).some(({ regionKey }) => regionKey === "own");
  expect(await eventually(whole)).toBe(true);
}, 60_000);

describe("the command line", () => {
  const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
  async function tenantry(...args: string[]): Promise<{ code: number; json: any; output: string }> {
    const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    const [code] = await once(child, "close");
    const json: unknown = args.includes("--json") && output.startsWith("{") ? JSON.parse(output) : undefined;
    return { code: Number(code), json, output };
  }
  const COMMAND = { who: "OPERATOR", whoId: null, via: "COMMAND_LINE", address: null, userAgent: null };

  test("leaves entries like the API's, also of what it refuses", async () => {
    const made = await tenantry("org", "create", "By command", "--json");
    const { id } = made.json;
    expect(await newest()).toMatchObject({
      ...COMMAND,
      action: "createOrganization",
      outcome: "OK",
      subjectId: id,
      organizationId: id,
    });
    expect((await tenantry("revoke", placement, "--confirm", "Wrong")).code).toBe(1);
    const onPlacement = {
      subjectKind: "PLACEMENT",
      subjectId: placement,
      placementId: placement,
      organizationId: acme,
    };
    expect(await newest()).toMatchObject({
      ...COMMAND,
      action: "revokeRegionAccess",
      outcome: "INVALID_INPUT",
      ...onPlacement,
    });
    expect((await tenantry("export", placement, "--to", temporaryFolder())).code).toBe(0);
    expect(await newest()).toMatchObject({ ...COMMAND, action: "exportPlacement", outcome: "OK", ...onPlacement });
    const key = await tenantry("key", "create", "--operator", "--name", "First", "--json");
    expect(await newest()).toMatchObject({
      ...COMMAND,
      action: "createApiKey",
      outcome: "OK",
      subjectId: key.json.key.id,
    });
    await tenantry("key", "revoke", key.json.key.id);
    expect(await newest()).toMatchObject({
      ...COMMAND,
      action: "revokeApiKey",
      outcome: "OK",
      subjectId: key.json.key.id,
    });
  }, 60_000);

  test("shows the log", async () => {
    const shown = await tenantry("audit", "--organization", acme, "--limit", "100", "--json");
    expect(shown.json.entries.map(({ id }: { id: string }) => id)).toEqual(
      (await entriesOf(app, acme)).map(({ id }) => id),
    );
    const lines = (await tenantry("audit", "--limit", "1")).output;
    expect(lines).toMatch(/^WHEN +OUTCOME +ACTION +SUBJECT +REGION +BY +FROM +ID\n/);
    expect(lines).toMatch(
      / OK +revokeApiKey +API_KEY \S+ +- +operator \(command line\) +- +\S+\nThere are more: --after /,
    );
  }, 60_000);

  test("prunes old entries at home and in the regions, keeps the rest, and records that", async () => {
    const old = `insert into tenantry.audit_log (id, at, organization_id, who, via, action, subject_kind, subject_id`;
    const values = "'OPERATOR', 'DEVELOPMENT', 'createComment', 'COMMENT', gen_random_uuid()";
    const id = "018c0000-0000-7000-8000-000000000001";
    await sql(
      region,
      `${old}, database_id) select $1, now() - interval '40 days', $2, ${values}, database_id from tenantry.identity`,
      [id, acme],
    );
    await sql(app.databaseUrl, `${old}) values ($1, now() - interval '40 days', $2, ${values})`, [id, acme]);
    await sql(app.databaseUrl, "insert into tenantry.audit_outcomes (entry_id, outcome) values ($1, 'OK')", [id]);
    const ids = async () => (await entriesOf(app, acme)).map((entry) => entry.id);
    const before = await ids();
    expect(before.slice(-2)).toEqual([id, id]);
    const moment = (days: number) => new Date(Date.now() - days * 24 * 60 * 60_000).toISOString();
    expect((await tenantry("audit", "prune", "--before", moment(29))).output).toContain("at least 30 days ago");
    expect(await ids()).toEqual(before);
    const pruned = await tenantry("audit", "prune", "--before", moment(31), "--json");
    expect(pruned.json.pruned.map(({ entries }: { entries: number }) => entries)).toEqual([1, 1]);
    expect(await ids()).toEqual(before.slice(0, -2));
    expect(await sql(app.databaseUrl, "select from tenantry.audit_outcomes where entry_id = $1", [id])).toEqual([]);
    expect(await newest()).toMatchObject({ ...COMMAND, action: "pruneAuditLog", outcome: "OK" });
    await expect(sql(region, "delete from tenantry.audit_log")).rejects.toThrow(/append-only/);
    await expect(sql(app.databaseUrl, "delete from tenantry.audit_log")).rejects.toThrow(/append-only/);
  }, 60_000);
});
