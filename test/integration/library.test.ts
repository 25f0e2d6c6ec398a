/** The library: a team's own SQL on its own tables, with all that Tenantry promises along. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { placementNumberOf } from "../../src/base/kernel/ids.ts";
import {
  createTenantry,
  readTenantSchema,
  type Tenant,
  type TenantInput,
  type Tenantry,
} from "../../src/library/index.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { createUser, eventually, registerRegion } from "../support/journey.ts";
import { grantActive, INVOICES, openLibrary } from "../support/library.ts";
import { recordStatements } from "../support/statements.ts";

let app: TestApp;
let tenantry: Tenantry;

beforeAll(async () => {
  app = await startApp({ tenantSchema: INVOICES });
  await registerRegion(app, "eu", serverUrl("eu"));
  tenantry = await openLibrary(app);
});
afterAll(async () => {
  await tenantry.close();
  await app.stop();
});

const INSERT = "insert into app.invoices (number) values ($1) returning id";

/** An organization with access to the region. */
async function place(name: string, isolation: "DEDICATED" | "SHARED" = "DEDICATED") {
  const organization = await tenantry.organizations.create({ name });
  const placement = await grantActive(tenantry, { organizationId: organization.id, regionKey: "eu", isolation });
  return { ...placement, organization: organization.id, url: `${serverUrl("eu")}/${placement.database}` };
}

async function member(organizationId: string, role: "OWNER" | "VIEWER" = "OWNER"): Promise<string> {
  const userId = await createUser(app);
  await tenantry.members.add({ organizationId, userId, role });
  return userId;
}

/** The code of the error that comes, if one does. */
const codeOf = (work: () => Promise<unknown>) =>
  work().then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code,
  );

const catalogOf = async (organizationId: string) =>
  (
    await sql<{ number: string }>(
      app.databaseUrl,
      "select number from catalog.invoices where organization_id = $1 order by number",
      [organizationId],
    )
  ).map(({ number }) => number);

type Entry = { who: string; who_id: string | null; action: string; subject_kind: string; subject_id: string };
const entriesOf = (url: string, organizationId: string) =>
  sql<Entry>(
    url,
    `select who, who_id, action, subject_kind, subject_id from tenantry.audit_log
     where organization_id = $1 and via = 'LIBRARY' order by id`,
    [organizationId],
  );

describe.each(["DEDICATED", "SHARED"] as const)("%s", (isolation) => {
  let mine: Awaited<ReturnType<typeof place>>;
  let other: Awaited<ReturnType<typeof place>>;
  let owner: string;
  let eu: Tenant;
  let theirs: Tenant;
  beforeAll(async () => {
    [mine, other] = [await place(`Mine ${isolation}`, isolation), await place(`Other ${isolation}`, isolation)];
    owner = await member(mine.organization);
    eu = await tenantry.tenant({ organizationId: mine.organization, regionKey: "eu", actor: { userId: owner } });
    theirs = await tenantry.tenant({ organizationId: other.organization });
  });

  test("a statement writes and reads the organization's rows and no others, and ids lead to the placement", async () => {
    const [added] = await eu.query<{ id: string }>(INSERT, ["Q-1"]);
    await theirs.query(INSERT, ["T-1"]);
    expect(placementNumberOf(added?.id ?? "")).toBe(mine.number);
    expect(placementNumberOf(eu.newId())).toBe(mine.number);
    expect(await eu.query("select number from app.invoices where number ~ '^[QT]'")).toEqual([{ number: "Q-1" }]);
    expect(await eu.query("select number from app.invoices where id = $1", [added?.id])).toEqual([{ number: "Q-1" }]);
    await expect(
      eu.query("insert into app.invoices (number, organization_id) values ('Q-2', $1)", [other.organization]),
    ).rejects.toMatchObject({ code: "42501" });
    expect(eu).toMatchObject({ organizationId: mine.organization, regionKey: "eu", role: "OWNER" });
    expect(theirs).toMatchObject({ organizationId: other.organization, regionKey: "eu", role: null });
  });

  test("what was written is in the catalog when the statement or the transaction returns", async () => {
    await eu.query(INSERT, ["C-1"]);
    expect(await catalogOf(mine.organization)).toContain("C-1");
    await eu.query(
      "with added as (insert into app.invoices (number) values ('C-2') returning number) select number from added",
    );
    expect(await catalogOf(mine.organization)).toContain("C-2");
    await eu.transaction(async (tx) => {
      await tx.query(INSERT, ["C-3"]);
      await tx.query("update app.invoices set number = 'C-9' where number = 'C-1'");
      expect(await tx.query("select number from app.invoices where number ~ '^C' order by number")).toEqual(
        ["C-2", "C-3", "C-9"].map((number) => ({ number })),
      );
    });
    expect((await catalogOf(mine.organization)).filter((number) => number.startsWith("C"))).toEqual([
      "C-2",
      "C-3",
      "C-9",
    ]);
    await eu.query("delete from app.invoices where number ~ '^C'");
    expect((await catalogOf(mine.organization)).filter((number) => number.startsWith("C"))).toEqual([]);
    // What a function writes is not noticed.
    expect(await eu.waitForCatalog()).toBe(true);
  });

  test("a transaction that throws, or in which a statement failed, leaves nothing", async () => {
    const numbers = () => eu.query("select number from app.invoices where number ~ '^X'");
    await expect(
      eu.transaction(async (tx) => {
        await tx.query(INSERT, ["X-1"]);
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    await expect(
      eu.transaction(async (tx) => {
        await tx.query(INSERT, ["X-2"]);
        await tx.query("select 1 / 0").catch(() => undefined);
      }),
    ).rejects.toThrow("division by zero");
    const readOnly = eu.transaction((tx) => tx.query(INSERT, ["X-3"]), { readOnly: true });
    await expect(readOnly).rejects.toMatchObject({ code: "25006" });
    expect(await numbers()).toEqual([]);
    const [{ level } = { level: "" }] = await eu.transaction(
      (tx) => tx.query<{ level: string }>("select current_setting('transaction_isolation') as level"),
      { isolation: "serializable" },
    );
    expect(level).toBe("serializable");
  });

  test("each row that is written has an entry in the audit log, with whoever is behind it", async () => {
    const before = (await entriesOf(mine.url, mine.organization)).length;
    const [invoice] = await eu.query<{ id: string }>(INSERT, ["A-1"]);
    const [line] = await eu.transaction((tx) =>
      tx.query<{ id: string }>("insert into app.lines (invoice_id, text, cents) values ($1, 'Line', 1) returning id", [
        invoice?.id,
      ]),
    );
    const team = await tenantry.tenant({ organizationId: mine.organization });
    await team.query("update app.invoices set total_cents = 5 where id = $1", [invoice?.id]);
    // The line goes with it.
    await eu.pool.query("delete from app.invoices where id = $1", [invoice?.id]);
    await eu.query("select number from app.invoices");
    await expect(eu.query(INSERT, ["not a number"])).rejects.toMatchObject({ code: "23514" });
    const entries = (await entriesOf(mine.url, mine.organization)).slice(before);
    const byUser = { who: "USER", who_id: owner };
    const about = (subject_kind: string, subject_id: string | undefined) => ({ subject_kind, subject_id });
    expect(entries.slice(0, 3)).toEqual([
      { ...byUser, action: "insert", ...about("app.invoices", invoice?.id) },
      { ...byUser, action: "insert", ...about("app.lines", line?.id) },
      { who: "OPERATOR", who_id: null, action: "update", ...about("app.invoices", invoice?.id) },
    ]);
    expect(entries.slice(3)).toHaveLength(2);
    expect(entries.slice(3)).toEqual(
      expect.arrayContaining([
        { ...byUser, action: "delete", ...about("app.invoices", invoice?.id) },
        { ...byUser, action: "delete", ...about("app.lines", line?.id) },
      ]),
    );
  });
});

test("what is not given is in the environment, and a team that gives neither is told what is missing", async () => {
  const options = { tenantSchema: readTenantSchema("examples/invoices/db/tenant"), logLevel: "silent" } as const;
  await expect(createTenantry(options)).rejects.toThrow("set DATABASE_URL and TENANTRY_SECRET_KEY");
  vi.stubEnv("DATABASE_URL", app.databaseUrl);
  vi.stubEnv("TENANTRY_SECRET_KEY", app.secretKey);
  onTestFinished(() => void vi.unstubAllEnvs());
  const own = await createTenantry(options);
  expect((await own.organizations.list({ first: 1 })).rows).toHaveLength(1);
  await own.close();
});

test("the default organization's tables are at home, and so are their entries", async () => {
  const userId = await createUser(app);
  const home = await tenantry.tenant({ actor: { userId } });
  const [row] = await home.query<{ id: string }>(INSERT, ["H-1"]);
  expect(placementNumberOf(row?.id ?? "")).toBe(0);
  await home.transaction((tx) => tx.query("update app.invoices set number = 'H-2'"));
  expect(await sql(app.databaseUrl, "select number from catalog.invoices where id = $1", [row?.id])).toEqual([
    { number: "H-2" },
  ]);
  expect(
    await sql(
      app.databaseUrl,
      "select who, who_id, via, action, outcome, subject_kind from tenantry.audit_log where subject_id = $1 order by id",
      [row?.id],
    ),
  ).toEqual(
    ["insert", "update"].map((action) => ({
      who: "USER",
      who_id: userId,
      via: "LIBRARY",
      action,
      outcome: "OK",
      subject_kind: "app.invoices",
    })),
  );
  expect(home).toMatchObject({ organizationId: null, regionKey: null, role: null });
  await expect(tenantry.tenant({ regionKey: "eu" })).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await expect(tenantry.tenant({ actor: { userId: randomUUID() } })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

describe("what a team is told", () => {
  test("of an organization, a region and a placement", async () => {
    const mine = await place("Told");
    const stranger = await createUser(app);
    const refused = (input: TenantInput) => codeOf(() => tenantry.tenant(input));
    expect(await refused({ organizationId: randomUUID() })).toBe("NOT_FOUND");
    expect(await refused({ organizationId: mine.organization, actor: { userId: stranger } })).toBe("NOT_FOUND");
    expect(await refused({ organizationId: "nonsense" })).toBe("INVALID_INPUT");
    const elsewhere = tenantry.tenant({ organizationId: mine.organization, regionKey: "us" });
    await expect(elsewhere).rejects.toThrow("It has access to: eu.");
    const empty = await tenantry.organizations.create({ name: "Nowhere" });
    await expect(tenantry.tenant({ organizationId: empty.id })).rejects.toThrow("no region yet");

    const eu = await tenantry.tenant({ organizationId: mine.organization });
    await eu.query(INSERT, ["T-1"]);
    await tenantry.revoke({ placementId: mine.id, confirm: "Told" });
    const after = () => codeOf(() => eu.query("select 1"));
    await expect.poll(after, { timeout: 5_000 }).toBe("CONFLICT");
    expect(await refused({ organizationId: mine.organization })).toBe("CONFLICT");
    await tenantry.revoke({ placementId: mine.id, confirm: "Told", skipGrace: true });
    await expect.poll(after, { timeout: 20_000 }).toBe("NOT_FOUND");
  });

  test("of SQL: the driver's error, with a position in the text that was written", async () => {
    const mine = await place("Faults");
    const eu = await tenantry.tenant({ organizationId: mine.organization });
    const text = "select nothing from app.invoices where number = $1";
    for (let use = 0; use < 5; use += 1)
      await expect(eu.query(text, ["A"])).rejects.toMatchObject({ code: "42703", position: "8" });
    await expect(eu.query("select 1; select nothing")).rejects.toMatchObject({ code: "42703", position: "18" });
    await expect(eu.transaction((tx) => tx.query(text, ["A"]))).rejects.toMatchObject({ position: "8" });
  });

  test("of time: a statement that takes too long is stopped, and so is one whose signal is aborted", async () => {
    const mine = await place("Slow");
    await using hurried = {
      tenantry: await openLibrary(app, { statementTimeoutMs: 300 }),
      [Symbol.asyncDispose]: close,
    };
    async function close(this: { tenantry: Tenantry }) {
      await this.tenantry.close();
    }
    const running = async () =>
      (await sql(mine.url, "select from pg_stat_activity where state = 'active' and query like '%pg_sleep(60%'"))
        .length - 1;
    const eu = await hurried.tenantry.tenant({ organizationId: mine.organization });
    await expect(eu.query("select pg_sleep(60)")).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      message: expect.stringContaining("300 ms"),
    });
    await expect(eu.transaction((tx) => tx.query("select pg_sleep(60)"))).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
    expect(await eventually(async () => (await running()) === 0)).toBe(true);

    const stop = new AbortController();
    const patient = await tenantry.tenant({ organizationId: mine.organization, signal: stop.signal });
    const asked = [
      patient.query("select pg_sleep(60)"),
      patient.transaction((tx) => tx.query("select pg_sleep(60)")),
      patient.pool.query("select pg_sleep(60)"),
    ].map((one) => expect(one).rejects.toThrow("the caller has gone"));
    await eventually(async () => (await running()) === asked.length);
    stop.abort(new Error("the caller has gone"));
    await Promise.all(asked);
    expect(await eventually(async () => (await running()) === 0)).toBe(true);
    await expect(patient.query("select 1")).rejects.toThrow("the caller has gone");
  });

  test("of a server that is away", async () => {
    const mine = await place("Away");
    const eu = await tenantry.tenant({ organizationId: mine.organization });
    await eu.query("select 1");
    const ended = eu.query("select pg_terminate_backend(pg_backend_pid())");
    await expect(ended).rejects.toMatchObject({ code: "REGION_UNAVAILABLE" });
    expect(await eu.query("select 1 as one")).toEqual([{ one: 1 }]);
    // Nobody is let in.
    await sql(`${serverUrl("eu")}/postgres`, `alter database ${mine.database} allow_connections false`);
    await sql(
      `${serverUrl("eu")}/postgres`,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${mine.database}'`,
    );
    await expect.poll(() => codeOf(() => eu.query("select 1"))).toBeDefined();
    await sql(`${serverUrl("eu")}/postgres`, `alter database ${mine.database} allow_connections true`);
    await expect.poll(() => codeOf(() => eu.query("select 1")), { timeout: 20_000 }).toBeUndefined();
  });
});

test("a transaction takes one connection of the budget, and whoever finds none is told so in time", async () => {
  const mine = await place("Budget");
  const few = await openLibrary(app, { connections: { max: 2, maxPerServer: 2 } });
  try {
    const eu = await few.tenant({ organizationId: mine.organization });
    const clients = [await eu.pool.connect(), await eu.pool.connect()];
    const waiting = eu.query("select 1");
    await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/LIMIT_EXCEEDED|REGION_UNAVAILABLE/) });
    for (const client of clients) client.release();
    expect(await eu.query("select 1 as one")).toEqual([{ one: 1 }]);
  } finally {
    await few.close();
  }
}, 30_000);

test("a handle and a read cost one statement, a transaction its own and two, and a write the question to home", async () => {
  const mine = await place("Counted");
  const userId = await member(mine.organization);
  const input = { organizationId: mine.organization, actor: { userId } };
  const text = "select number from app.invoices";
  await (await tenantry.tenant(input)).query(text);
  using recorded = recordStatements();
  const sent = async (work: (eu: Tenant) => Promise<unknown>) => {
    const start = recorded.sent.length;
    await work(await tenantry.tenant(input));
    // The app in this process carries on.
    return recorded.sent.slice(start).filter(({ kind, name }) => kind === "tenant" || name === "nudge");
  };
  expect(await sent((eu) => eu.query(text))).toEqual([{ kind: "tenant", name: expect.stringContaining(text) }]);
  const inTransaction = await sent((eu) => eu.transaction((tx) => tx.query(text)));
  expect(inTransaction.map(({ name }) => name.split(/\s/, 1)[0])).toEqual(["begin", "select", "commit"]);
  const lines = await sent((eu) => eu.query("delete from app.lines"));
  expect(lines.map(({ kind }) => kind)).toEqual(["tenant"]);
  const invoices = await sent((eu) => eu.query("insert into app.invoices (number) values ('N-1')"));
  expect(invoices.filter(({ name }) => name === "nudge")).toEqual([{ kind: "home", name: "nudge" }]);
});

describe("what the engine has already", () => {
  test("organizations, members, placements and people, each change with its entry", async () => {
    const ada = await tenantry.users.create({ name: "Ada", email: `ada.${randomUUID()}@example.com` });
    const acme = await tenantry.organizations.create({ name: "Acme", actor: { userId: ada.id } });
    expect(await tenantry.organizations.get({ organizationId: acme.id, actor: { userId: ada.id } })).toEqual(acme);
    expect(await tenantry.organizations.list({ actor: { userId: ada.id } })).toEqual({
      rows: [acme],
      hasNextPage: false,
      hasPreviousPage: false,
    });
    const bob = await createUser(app, "Bob");
    await tenantry.members.add({ organizationId: acme.id, userId: bob, role: "ADMIN" });
    const { rows } = await tenantry.members.list({ organizationId: acme.id });
    expect(new Map(rows.map(({ userId, role }) => [userId, role]))).toEqual(
      new Map([
        [ada.id, "OWNER"],
        [bob, "ADMIN"],
      ]),
    );
    const find = (page: object) => tenantry.members.list({ organizationId: acme.id, ...page });
    const [first, second] = rows;
    expect(await find({ last: 1 })).toEqual({ rows: [second], hasNextPage: false, hasPreviousPage: true });
    expect(await find({ before: second?.userId })).toEqual({
      rows: [first],
      hasNextPage: true,
      hasPreviousPage: false,
    });
    expect((await find({ role: "ADMIN" })).rows.map(({ userId }) => userId)).toEqual([bob]);
    expect((await find({ name: "bO" })).rows.map(({ userId }) => userId)).toEqual([bob]);
    for (const wrong of [{ first: 1, last: 1 }, { last: 0 }, { before: "x" }, { role: "BOSS" }, { name: "\n" }])
      await expect(find(wrong)).rejects.toMatchObject({ code: "INVALID_INPUT" });
    const input = { organizationId: acme.id, regionKey: "eu", isolation: "SHARED" } as const;
    await expect(tenantry.grant({ ...input, actor: { userId: bob } })).rejects.toMatchObject({ code: "FORBIDDEN" });
    const placement = await tenantry.grant({ ...input, actor: { userId: ada.id } });
    expect(await tenantry.placements.list({ organizationId: acme.id })).toEqual([placement]);
    await tenantry.members.remove({ organizationId: acme.id, userId: bob });
    await expect(tenantry.members.remove({ organizationId: acme.id, userId: ada.id })).rejects.toMatchObject({
      code: "CONFLICT",
    });
    await expect(tenantry.organizations.get({ organizationId: acme.id, actor: { userId: bob } })).rejects.toMatchObject(
      {
        code: "NOT_FOUND",
      },
    );
    const log = await sql(
      app.databaseUrl,
      `select a.action, a.who, coalesce(a.outcome, o.outcome) as outcome from tenantry.audit_log a
       left join tenantry.audit_outcomes o on o.entry_id = a.id
       where a.via = 'LIBRARY' and $1 in (a.organization_id, o.organization_id) order by a.id`,
      [acme.id],
    );
    expect(log).toEqual([
      { action: "createOrganization", who: "USER", outcome: "OK" },
      { action: "addOrganizationMember", who: "OPERATOR", outcome: "OK" },
      { action: "grantRegionAccess", who: "USER", outcome: "FORBIDDEN" },
      { action: "grantRegionAccess", who: "USER", outcome: "OK" },
      { action: "removeOrganizationMember", who: "OPERATOR", outcome: "OK" },
      { action: "removeOrganizationMember", who: "OPERATOR", outcome: "CONFLICT" },
    ]);
    expect(await tenantry.lag({ actor: { userId: ada.id } })).toEqual([]);
  });
});

test("jobs, replication and the gateway run in the team's process where it asks for them", async () => {
  const name = `library_${randomUUID().replaceAll("-", "")}`;
  await sql(`${serverUrl("home")}/postgres`, `create database ${name}`);
  const databaseUrl = `${serverUrl("home")}/${name}`;
  const own = { databaseUrl, secretKey: app.secretKey };
  await expect(openLibrary(own)).rejects.toMatchObject({ code: "CONFLICT" });
  const all = await openLibrary(own, { work: true });
  try {
    const helper = await startApp({ ...own, role: "api", tenantSchema: INVOICES });
    await registerRegion(helper, "eu", serverUrl("eu"));
    await helper.stop();
    const { id } = await all.organizations.create({ name: "By itself" });
    await grantActive(all, { organizationId: id, regionKey: "eu" });
    const eu = await all.tenant({ organizationId: id });
    await eu.query(INSERT, ["W-1"]);
    expect(await sql(databaseUrl, "select number from catalog.invoices")).toEqual([{ number: "W-1" }]);
  } finally {
    await all.close();
  }
});
