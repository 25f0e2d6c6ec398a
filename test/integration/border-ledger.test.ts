/** The ledger of the border on a real home: it adds up, it only grows, it stays bounded, and the operator reads it. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Crossing, CROSSING_WAYS } from "../../src/engine/border/ledger/crossings.ts";
import { BorderLedger, type BorderLedgerOptions } from "../../src/engine/border/ledger/ledger.ts";
import { MAX_REFUSALS_A_MINUTE, REFUSAL_CODES } from "../../src/engine/border/ledger/refusals.ts";
import { Metrics } from "../../src/base/observability/metrics.ts";
import { APP_FLOWS } from "../support/flows.ts";
import { databaseName } from "../../src/engine/replication/names.ts";
import { serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import { createOrganization, createUser, eventually, grant, registerRegion } from "../support/journey.ts";
import { recordStatements } from "../support/statements.ts";

/** What the statements below read of home. */
type Row = Record<"rows" | "attempts" | "bytes" | "count", number> &
  Record<"text" | "sentence" | "user_name" | "address", string>;

let app: TestApp;
let user: string;
let tenant: string;
const said: string[] = [];
const started: BorderLedger[] = [];

beforeAll(async () => {
  app = await startApp();
  user = await createUser(app);
  await registerRegion(app, "eu", serverUrl("eu"));
  tenant = (await grant(app, await createOrganization(app), "eu")).database;
});
afterEach(async () => {
  for (const ledger of started.splice(0)) await ledger.close();
  said.length = 0;
});
afterAll(() => app.stop());

/** One that writes only when told to. */
function startLedger(options: Partial<BorderLedgerOptions> = {}): BorderLedger {
  const say = (_: unknown, message?: string) => void said.push(String(message));
  const logger = { info: say, warn: say, error: say } as BorderLedgerOptions["logger"];
  const ledger = new BorderLedger({ home: app.services.home, logger, flushIntervalMs: 3_600_000, ...options });
  started.push(ledger);
  return ledger;
}

let lastDatabaseId = 1_000;
/** A link that no other test has counted for. */
function newLink(changes: Partial<Crossing> = {}): Crossing {
  lastDatabaseId += 1;
  return {
    databaseId: lastDatabaseId,
    direction: "catalog",
    regionId: "019b0000-0000-7000-8000-000000000000",
    regionKey: "eu",
    table: "resources",
    way: "stream",
    ...changes,
  };
}

const home = (text: string, values: unknown[] = []) => sql<Row>(app.databaseUrl, text, values);
const sumsOf = ({ databaseId }: Crossing) =>
  home(
    `select direction, table_name, way, region_key, rows::int, bytes::int from tenantry.border_days
     where database_id = $1 order by direction, table_name, way`,
    [databaseId],
  );

describe("what crossed", () => {
  test("is written in one statement, whatever the number of links, and nothing is sent where nothing crossed", async () => {
    const ledger = startLedger();
    const all = Array.from({ length: 50 }, () => newLink());
    for (const link of all) ledger.crossed(link, 1, 10);
    ledger.refused({ code: "malformed", sentence: "Not the protocol." });
    using recorded = recordStatements();
    await ledger.flush();
    await ledger.flush();
    expect(recorded.sent.filter(({ name }) => name.startsWith("border")).map(({ name }) => name)).toEqual([
      "border.flush",
    ]);
    const ids = all.map(({ databaseId }) => databaseId);
    const [counted] = await home(
      "select count(*)::int, sum(rows)::int as rows, sum(bytes)::int as bytes from tenantry.border_days where database_id = any($1)",
      [ids],
    );
    expect(counted).toEqual({ count: 50, rows: 50, bytes: 500 });
  });

  test("of two processes adds up, also when both write at once", async () => {
    const [one, other] = [startLedger(), startLedger()];
    const [first, second] = [newLink(), newLink({ way: "seed", direction: "directory" })];
    for (let turn = 0; turn < 20; turn += 1) {
      one.crossed(first, 1, 10);
      one.crossed(second, 2, 20);
      other.crossed(second, 3, 30);
      other.crossed(first, 4, 40);
      await Promise.all([one.flush(), other.flush(), one.flush()]);
    }
    expect(await sumsOf(first)).toMatchObject([{ way: "stream", direction: "catalog", rows: 100, bytes: 1_000 }]);
    expect(await sumsOf(second)).toMatchObject([{ way: "seed", direction: "directory", rows: 100, bytes: 1_000 }]);
  });

  test("that home could not take is kept, said once, and written by itself when home takes it again", async () => {
    const link = newLink();
    const ledger = startLedger({ flushIntervalMs: 10 });
    await home("alter table tenantry.border_days rename to away");
    try {
      ledger.crossed(link, 1, 10);
      ledger.refused({ code: "truncate", databaseId: link.databaseId, sentence: "A TRUNCATE was sent." });
      expect(await eventually(async () => said.some((line) => /cannot be written/.test(line)))).toBe(true);
      await expect(ledger.flush()).rejects.toThrow("border_days");
      ledger.crossed(link, 2, 20);
      await expect(ledger.flush()).rejects.toThrow("border_days");
    } finally {
      await home("alter table tenantry.away rename to border_days");
    }
    expect(await eventually(async () => (await sumsOf(link)).length > 0)).toBe(true);
    expect(await sumsOf(link)).toMatchObject([{ rows: 3, bytes: 30 }]);
    const refusals = "select attempts from tenantry.border_refusals where database_id = $1";
    expect(await home(refusals, [link.databaseId])).toEqual([{ attempts: 1 }]);
    expect(await eventually(async () => said.some((line) => /written again/.test(line)))).toBe(true);
    expect(said.filter((line) => /cannot be written/.test(line))).toHaveLength(1);
  });

  test("is written by itself, and at the end of the process", async () => {
    const [during, last] = [newLink(), newLink()];
    const ledger = startLedger({ flushIntervalMs: 10 });
    ledger.crossed(during, 1, 10);
    expect(await eventually(async () => (await sumsOf(during)).length > 0)).toBe(true);
    const ending = startLedger();
    ending.crossed(last, 1, 10);
    await ending.close();
    expect(await sumsOf(last)).toMatchObject([{ rows: 1, bytes: 10 }]);
  });

  test("holds up nobody's end when home does not answer", async () => {
    const client = new pg.Client({ connectionString: app.databaseUrl });
    await client.connect();
    try {
      await client.query("begin; lock table tenantry.border_days in access exclusive mode");
      const ledger = startLedger({ closeTimeoutMs: 50 });
      ledger.crossed(newLink(), 1, 10);
      await ledger.close();
      expect(said).toEqual([expect.stringContaining("could not be written")]);
    } finally {
      await client.end();
    }
  });

  test("is counted for Prometheus by direction, way and code, and never by a name", async () => {
    const metrics = new Metrics();
    const ledger = startLedger({ metrics });
    ledger.crossed(newLink(), 3, 30);
    ledger.crossed(newLink({ way: "seed" }), 4, 40);
    ledger.refused({ code: "wrong-password", user: "somebody", sentence: "No." });
    ledger.refused({ code: "wrong-password", user: "somebody", sentence: "No." });
    const text = await metrics.text();
    expect(text).toContain('tenantry_border_rows_total{direction="catalog",way="stream"} 3');
    expect(text).toContain('tenantry_border_bytes_total{direction="catalog",way="seed"} 40');
    expect(text).toContain('tenantry_border_refusals_total{code="wrong-password"} 2');
    expect(text).not.toContain("somebody");
    // The process's own ledger counts into the process's own metrics.
    app.services.ledger.refused({ code: "too-many", sentence: "Too many attempts." });
    const page = await (await fetch(`${app.url}/metrics`)).text();
    expect(page).toContain('tenantry_border_refusals_total{code="too-many"} 1');
  });
});

describe("what was refused", () => {
  test("is bounded at home in a flood, and every attempt is counted", async () => {
    const [before] = await home(
      "select count(*)::int as rows, coalesce(sum(attempts), 0)::int as attempts from tenantry.border_refusals",
    );
    const ledger = startLedger();
    for (let n = 0; n < 20_000; n += 1) {
      const code = REFUSAL_CODES[n % REFUSAL_CODES.length] ?? "malformed";
      ledger.refused({ address: `198.18.${n >> 8}.${n & 0xff}`, databaseId: n + 1, code, sentence: "Refused." });
      if (n % 5_000 === 0) await ledger.flush();
    }
    await ledger.close();
    const [after] = await home(
      "select count(*)::int as rows, sum(attempts)::int as attempts from tenantry.border_refusals",
    );
    expect((after?.rows ?? Number.NaN) - (before?.rows ?? Number.NaN)).toBeLessThanOrEqual(MAX_REFUSALS_A_MINUTE);
    expect((after?.attempts ?? Number.NaN) - (before?.attempts ?? Number.NaN)).toBe(20_000);
    // As many lines in the log as rows.
    expect(said.length).toBeLessThanOrEqual(MAX_REFUSALS_A_MINUTE);
  });

  test("is stored whatever name and address it was made with", async () => {
    const ledger = startLedger();
    const { databaseId } = newLink();
    const nasty = `\0\u001b[2J\u202e\ud800${"ä".repeat(1_000)}`;
    ledger.refused({
      databaseId,
      direction: "catalog",
      user: nasty,
      address: "fe80::1%eth0",
      code: "unknown-user",
      sentence: nasty,
    });
    await ledger.flush();
    const [row] = await home(
      "select user_name, host(address) as address, sentence from tenantry.border_refusals where database_id = $1",
      [databaseId],
    );
    expect(row).toMatchObject({ address: "fe80::1", user_name: expect.stringMatching(/^\?\?\[2J\?+$/) });
    expect(row?.sentence).toHaveLength(500);
  });

  test("has the codes that the schema knows, and crossings have its ways", async () => {
    const valuesOf = async (table: string, column: string) => {
      const [found] = await home(
        `select pg_get_constraintdef(oid) as text from pg_constraint where conrelid = $1::regclass and contype = 'c'
         and conkey = array[(select attnum from pg_attribute where attrelid = conrelid and attname = $2)]`,
        [table, column],
      );
      return [...String(found?.text).matchAll(/'([^']+)'/g)].map(([, value]) => value);
    };
    expect(await valuesOf("tenantry.border_refusals", "code")).toEqual([...REFUSAL_CODES]);
    expect(await valuesOf("tenantry.border_days", "way")).toEqual([...CROSSING_WAYS]);
  });
});

describe("the ledger is append-only", () => {
  const refusal = /the ledger of the border is append-only/;
  const link = newLink();
  const sentence = "A TRUNCATE was sent to a table of this test.";
  beforeAll(async () => {
    const ledger = startLedger();
    ledger.crossed(link, 5, 50);
    ledger.refused({ code: "truncate", sentence });
    await ledger.flush();
  });

  test.each([
    "delete from tenantry.border_days",
    "delete from tenantry.border_days where false",
    "truncate tenantry.border_days",
    "update tenantry.border_days set rows = rows - 1",
    "update tenantry.border_days set bytes = 0",
    "update tenantry.border_days set first_at = first_at + interval '1 second', last_at = last_at + interval '2 seconds'",
    "update tenantry.border_days set first_at = first_at - interval '2 seconds', last_at = last_at - interval '1 second'",
    "update tenantry.border_days set day = day - 1000",
    "update tenantry.border_days set database_id = database_id + 500000",
    "update tenantry.border_days set table_name = table_name || '_other'",
    "update tenantry.border_days set way = case way when 'seed' then 'stream' else 'seed' end",
    "update tenantry.border_days set direction = case direction when 'catalog' then 'directory' else 'catalog' end",
    "update tenantry.border_days set region_key = 'us'",
    "update tenantry.border_days set region_id = gen_random_uuid()",
    "update tenantry.border_refusals set attempts = attempts + 1",
    "update tenantry.border_refusals set attempts = 1 where false",
    "delete from tenantry.border_refusals",
    "truncate tenantry.border_refusals",
  ])("for the owner: %s", async (text) => {
    // The test's own rows: the app that runs beside it goes on counting.
    const read = () =>
      home(
        `select (select json_agg(d order by d) from tenantry.border_days d where d.database_id = $1)::text as days,
                (select json_agg(r order by r.id) from tenantry.border_refusals r where r.sentence = $2)::text as refusals`,
        [link.databaseId, sentence],
      );
    const before = await read();
    await expect(home(text)).rejects.toThrow(refusal);
    await expect(home(`set session_replication_role = replica; ${text}`)).rejects.toThrow(refusal);
    expect(await read()).toEqual(before);
  });

  test("the API's role reads it and can do nothing else with it", async () => {
    const { name } = app.services.apiRole;
    for (const table of ["border_days", "border_refusals"]) {
      const rights = await home(
        `select privilege from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) privilege
         where has_table_privilege($1, $2, privilege)`,
        [name, `tenantry.${table}`],
      );
      expect(rights).toEqual([{ privilege: "select" }]);
    }
  });
});

const PAGE = "pageInfo { hasNextPage hasPreviousPage endCursor }";
const CROSSED = `query ($first: Int, $after: String, $regionKey: String) {
  border { crossed(first: $first, after: $after, regionKey: $regionKey) {
    edges { node { day regionKey database direction table way rows bytes firstAt lastAt } } ${PAGE} } } }`;
const REFUSED = `query ($first: Int, $after: String) {
  border { refused(first: $first, after: $after) {
    edges { node { id firstAt lastAt attempts address database direction user code sentence } } ${PAGE} } } }`;

describe("the operator reads", () => {
  const nameOf = (databaseId: number) => databaseName(app.services.installation, databaseId);
  const links = [
    newLink({ databaseId: 900_001, regionKey: "read-eu" }),
    newLink({ databaseId: 900_001, regionKey: "read-eu", way: "seed" }),
    newLink({ databaseId: 900_001, regionKey: "read-eu", direction: "directory", table: "directory_members" }),
    newLink({ databaseId: 900_002, regionKey: "read-us" }),
    newLink({ databaseId: 900_002, regionKey: "read-us", table: "notes, and more: ü" }),
  ];
  beforeAll(async () => {
    const ledger = startLedger();
    links.forEach((link, index) => ledger.crossed(link, index + 1, 5_000_000_000));
    ledger.refused({
      databaseId: 900_002,
      direction: "catalog",
      code: "table-not-listed",
      sentence: "The stream had api_keys.",
    });
    ledger.refused({ address: "192.0.2.9", user: "root", code: "unknown-user", sentence: "No link has this name." });
    await ledger.flush();
    // An older day of the same, and one that a prune takes.
    await home(
      `insert into tenantry.border_days
       select day - age, database_id, direction, table_name, way, region_id, region_key, rows, bytes, first_at, last_at
       from tenantry.border_days cross join unnest(array[3, 200]) age where database_id = 900001`,
    );
  });

  /** Every page of a list, with this many rows each. */
  async function readPages(field: "crossed" | "refused", variables: object): Promise<any[]> {
    const rows = [];
    let after: string | null = null;
    do {
      const data: any = await app.ask(field === "crossed" ? CROSSED : REFUSED, { ...variables, after });
      const { edges, pageInfo }: any = data.border[field];
      expect(pageInfo.hasPreviousPage).toBe(after !== null);
      rows.push(...edges.map(({ node }: { node: object }) => node));
      after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    } while (after !== null);
    return rows;
  }

  test("what crossed, newest day first, in pages without gaps, of one region or all", async () => {
    const all = await readPages("crossed", { first: 100 });
    expect(await readPages("crossed", { first: 2 })).toEqual(all);
    const days: string[] = all.map(({ day }) => day);
    expect(days).toEqual(days.toSorted().toReversed());
    const us = await readPages("crossed", { first: 1, regionKey: "read-us" });
    expect(us).toEqual(all.filter(({ regionKey }) => regionKey === "read-us"));
    const today = new Date().toISOString().slice(0, 10);
    expect(us).toContainEqual({
      day: today,
      regionKey: "read-us",
      database: nameOf(900_002),
      direction: "catalog",
      table: "notes, and more: ü",
      way: "stream",
      rows: 5,
      bytes: 5_000_000_000,
      firstAt: expect.stringContaining(today),
      lastAt: expect.stringContaining(today),
    });
    const eu = await readPages("crossed", { first: 100, regionKey: "read-eu" });
    const counts: number[] = eu.map(({ rows }) => rows);
    expect(counts.toSorted((a, b) => a - b)).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  });

  test("what was refused, newest first, in pages without gaps", async () => {
    const all = await readPages("refused", { first: 100 });
    expect(await readPages("refused", { first: 7 })).toEqual(all);
    const ids: string[] = all.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted().toReversed());
    expect(
      all.filter(({ code, database }) => code === "table-not-listed" && database === nameOf(900_002)),
    ).toMatchObject([
      { attempts: 1, address: null, user: null, direction: "catalog", sentence: "The stream had api_keys." },
    ]);
    expect(all).toContainEqual(
      expect.objectContaining({ address: "192.0.2.9", user: "root", database: null, direction: null }),
    );
  });

  test("what may cross: what the publications are made of, for the databases that there are", async () => {
    const query =
      "{ border { newerDatabases mayCross { direction from into columns filter changes schemaVersions databases } } }";
    const { border } = await app.ask(query);
    const flows = [...APP_FLOWS.directory, ...APP_FLOWS.catalog];
    expect(border.mayCross.map(({ columns }: { columns: string[] }) => columns)).toEqual(
      flows.map(({ columns }) => columns),
    );
    const latest = app.services.tenantSchema.latestVersion;
    const changes = ["insert", "update", "delete"];
    const filter = "database_id = <the tenant database's number>";
    expect(border.mayCross[0]).toMatchObject({
      from: "tenantry.directory_organizations",
      into: "tenantry.directory_organizations",
    });
    expect(border.mayCross[2]).toMatchObject({
      direction: "catalog",
      from: "app.resources",
      into: "tenantry_inbox.resources",
    });
    for (const flow of border.mayCross)
      expect(flow).toMatchObject({ changes, filter, schemaVersions: [latest], databases: 1 });
    await home("update tenantry.tenant_databases set app_version = app_version + 1");
    try {
      const { border: newer } = await app.ask(query);
      expect(newer.newerDatabases).toBe(1);
      expect(newer.mayCross.map(({ databases }: { databases: number }) => databases)).toEqual([0, 0, 0]);
    } finally {
      await home("update tenantry.tenant_databases set app_version = app_version - 1");
    }
  });

  test("what may cross is what the publications on the servers let out", async () => {
    const published = async (url: string, link: string) =>
      sql(
        url,
        `select schemaname || '.' || tablename as "from", attnames::text[] as columns, rowfilter as filter
         from pg_publication_tables where pubname = $1`,
        [link],
      );
    const found = [
      ...(await published(app.databaseUrl, `${tenant}_directory`)),
      ...(await published(`${serverUrl("eu")}/${tenant}`, `${tenant}_catalog`)),
    ];
    const { border } = await app.ask("{ border { mayCross { from columns filter } } }");
    const number = /\d+$/.exec(tenant)?.[0] ?? "";
    const sorted = ({ columns, ...rest }: any) => ({ ...rest, columns: (columns as string[]).toSorted() });
    const expected = border.mayCross.map(({ filter, ...flow }: any) =>
      sorted({ ...flow, filter: `(${filter.replace("<the tenant database's number>", number)})` }),
    );
    expect(found.map(sorted)).toEqual(expect.arrayContaining(expected));
    expect(found).toHaveLength(expected.length);
  });

  test("and nobody else does", async () => {
    for (const query of ["{ border { __typename } }", CROSSED, REFUSED, "{ border { mayCross { from } } }"])
      expect(await app.refuse(query, {}, user)).toMatchObject({ code: "FORBIDDEN" });
  });

  const cursor = (key: string) => Buffer.from(key).toString("base64url");
  test.each([
    ["after", { after: "nonsense" }],
    ["after", { after: cursor("2026-02-31 7 catalog stream resources") }],
    ["after", { after: cursor("0000-01-01 7 catalog stream resources") }],
    ["after", { after: cursor("2026-01-31 9999999999 catalog stream resources") }],
    ["after", { after: cursor(`2026-01-31 7 catalog stream ${"t".repeat(64)}`) }],
    ["after", { after: cursor("2026-01-31 7 catalog stream t\0") }],
    ["after", { after: cursor("019b0000-0000-7000-8000-000000000000") }],
    ["first", { first: 101 }],
    ["first", { first: -1 }],
    ["regionKey", { regionKey: "EU" }],
    ["regionKey", { regionKey: "eu\0" }],
  ])("not with a wrong %s: %j", async (field, variables) => {
    expect(await app.refuse(CROSSED, variables)).toMatchObject({ code: "INVALID_INPUT", field });
  });

  const program = fileURLToPath(new URL("../../bin/tenantry.js", import.meta.url));
  async function tenantry(...args: string[]): Promise<{ code: number; output: string }> {
    const env = { PATH: process.env["PATH"], DATABASE_URL: app.databaseUrl, TENANTRY_SECRET_KEY: app.secretKey };
    return promisify(execFile)(process.execPath, [program, ...args], { env }).then(
      ({ stdout }) => ({ code: 0, output: stdout }),
      (error: unknown) => {
        const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
        return { code, output: stdout + stderr };
      },
    );
  }

  test("on the command line, all three parts for people", async () => {
    const { code, output } = await tenantry("border", "--days", "2", "--region", "read-us", "--limit", "1000");
    expect(code).toBe(0);
    expect(output).toContain("catalog, region to home: app.resources → tenantry_inbox.resources\n");
    expect(output).toContain(
      "      columns database_id, id, organization_id, name, created_by, created_at, updated_at\n",
    );
    expect(output).toContain("      where database_id = <the tenant database's number>\n");
    expect(output).toContain("Only insert, update, delete cross; TRUNCATE and all else never do.");
    expect(output).toContain(`read-us  ${nameOf(900_002)} catalog  resources (stream): 4 rows, 5000000000 bytes, `);
    expect(output).not.toContain("read-eu");
    expect(output).toMatch(/unknown-user +from 192\.0\.2\.9 as root: No link has this name\./);
    expect(output).toContain(`about ${nameOf(900_002)} catalog: The stream had api_keys.`);
  }, 60_000);

  test("on the command line, as JSON for scripts, of the days that are asked for", async () => {
    const read = async (days: string) => {
      const { code, output } = await tenantry(
        "border",
        "--json",
        "--region",
        "read-eu",
        "--days",
        days,
        "--limit",
        "5",
      );
      expect(code).toBe(0);
      return JSON.parse(output);
    };
    const today = await read("1");
    expect(today).toMatchObject({ newerDatabases: 0, moreCrossed: false, moreRefused: true });
    expect(today.crossed).toHaveLength(3);
    expect(today.mayCross).toHaveLength(3);
    expect((await read("3")).crossed).toHaveLength(3);
    expect(await read("4")).toMatchObject({ moreCrossed: true, crossed: { length: 5 } });
    expect(await tenantry("border", "--days", "0")).toEqual({
      code: 1,
      output: "--days must be between 1 and 1000.\n",
    });
    expect((await tenantry("border", "--region", "No")).output).toMatch(/^regionKey must be/);
  }, 60_000);

  test("and prunes what is old enough, which the audit log records", async () => {
    await home(
      `insert into tenantry.border_refusals (id, first_at, last_at, attempts, code, sentence)
       values (gen_random_uuid(), now() - interval '90 days', now() - interval '90 days', 1, 'malformed', 'Old.')`,
    );
    const young = new Date(Date.now() - 29 * 24 * 60 * 60_000).toISOString();
    expect((await tenantry("border", "prune", "--before", young)).output).toContain("at least 30 days ago");
    const before = new Date(Date.now() - 40 * 24 * 60 * 60_000).toISOString();
    const pruned = await tenantry("border", "prune", "--before", before);
    expect(pruned).toEqual({ code: 0, output: "home: 3 daily sums and 1 refusals removed\n" });
    const days = await home(
      "select distinct (now() at time zone 'utc')::date - day > 30 as old from tenantry.border_days",
    );
    expect(days).toEqual([{ old: false }]);
    await expect(home("delete from tenantry.border_days")).rejects.toThrow("append-only");
    await expect(home("delete from tenantry.border_refusals")).rejects.toThrow("append-only");
    const [entry] = await home(
      "select subject_id, via from tenantry.audit_log where action = 'pruneBorderLedger' order by id desc limit 1",
    );
    expect(entry).toEqual({ subject_id: before, via: "COMMAND_LINE" });
  }, 60_000);
});
