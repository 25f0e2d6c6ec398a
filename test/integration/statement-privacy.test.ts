/** Passwords stay out of what servers keep of statements: their logs, pg_stat_statements and pg_stat_activity. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { scramVerifier } from "../../src/base/postgres/scram.ts";
import { inPrivate } from "../../src/base/postgres/statement-privacy.ts";
import { majorVersionOf, serverUrl, sql, startApp, type TestApp } from "../support/app.ts";
import {
  addMember,
  createOrganization,
  createResource,
  createUser,
  eventually,
  grant,
  registerRegion,
} from "../support/journey.ts";
import { HOME_VERSION, OTHER_VERSION } from "../support/global-setup.ts";
import { findDifferences } from "../support/replication-truth.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

/** A server that keeps everything that it can, also what a statement runs inside of it. */
const KEEPS_ALL = {
  log_statement: "all",
  log_min_duration_statement: "0",
  log_min_duration_sample: "0",
  log_transaction_sample_rate: "1",
  log_min_error_statement: "debug1",
  log_parameter_max_length: "-1",
  log_parameter_max_length_on_error: "-1",
  log_error_verbosity: "verbose",
  debug_print_parse: "on",
  shared_preload_libraries: "pg_stat_statements,auto_explain",
  "pg_stat_statements.track": "all",
  "auto_explain.log_min_duration": "0",
  "auto_explain.log_nested_statements": "on",
};

/** What many keep: statements that change the schema, those that fail, and statistics. */
const KEEPS_SOME = {
  log_statement: "ddl",
  log_min_error_statement: "error",
  shared_preload_libraries: "pg_stat_statements",
};

const regionMajor = await majorVersionOf(`${serverUrl("eu")}/postgres`);
const homeMajor = await majorVersionOf(`${serverUrl("home")}/postgres`);

const newSecret = () => `S3cret${randomBytes(12).toString("hex")}`;

/** Where a server kept one of the secrets. */
async function findKept(server: OwnServer, secrets: Record<string, string>): Promise<string[]> {
  const log = readFileSync(`${server.dataFolder}.log`, "utf8");
  const statements = await sql<{ query: string }>(server.url("postgres"), "select query from pg_stat_statements");
  const running = await sql<{ query: string }>(server.url("postgres"), "select query from pg_stat_activity");
  const keptBy: [string, (secret: string) => boolean][] = [
    ["the log", (secret) => log.includes(secret)],
    ["pg_stat_statements", (secret) => statements.some(({ query }) => query.includes(secret))],
    ["pg_stat_activity", (secret) => running.some(({ query }) => query.includes(secret))],
  ];
  return Object.entries(secrets).flatMap(([name, secret]) =>
    keptBy.filter(([, keeps]) => keeps(secret)).map(([keeper]) => `${name} in ${keeper}`),
  );
}

/** A role with a password that the server was told as a verifier, so that the test itself gives nothing away. */
async function createRole(server: OwnServer, name: string, rights: string, password: string): Promise<string> {
  await sql(server.url("postgres"), `create role ${name} login password '${scramVerifier(password, 2)}' ${rights}`);
  return server.url().replace(/\/\/[^@]*@/, `//${name}:${password}@`);
}

const CASES = [
  ["a superuser, with everything kept", "superuser", KEEPS_ALL],
  [
    "a member of pg_create_subscription, with some kept",
    "createdb createrole replication in role pg_create_subscription",
    KEEPS_SOME,
  ],
] as const;

describe.each(CASES.filter(([, rights]) => rights === "superuser" || Math.min(homeMajor, regionMajor) >= 16))(
  "the role is %s",
  (_, rights, settings) => {
    const secrets = {
      "home's password": newSecret(),
      "the region's password": newSecret(),
      "the region's next password": newSecret(),
    };
    let home: OwnServer;
    let region: OwnServer;
    let app: TestApp;
    let organization: string;

    beforeAll(async () => {
      [home, region] = await Promise.all([
        startServer({ settings, ...HOME_VERSION }),
        startServer({ settings, ...OTHER_VERSION }),
      ]);
      for (const server of [home, region]) await sql(server.url("postgres"), "create extension pg_stat_statements");
      const url = await createRole(home, "runs_home", rights, secrets["home's password"]);
      await sql(home.url("postgres"), "create database app owner runs_home");
      app = await startApp({ databaseUrl: `${url}/app`, replication: { carrier: { idleMs: 50 } } });
    });
    afterAll(async () => {
      await app.stop();
      await Promise.all([home, region].map((server) => server[Symbol.asyncDispose]()));
    });

    test("no password is kept when a region is registered, granted, rotated, migrated to and revoked", async () => {
      const regionUrl = await createRole(region, "runs_region", rights, secrets["the region's password"]);
      const settled = () =>
        eventually(async () => {
          // What was written while a carrier was just being replaced, a sweep finds.
          await sql(home.url("app"), "update tenantry.links set checked_at = now() - interval '1 day'");
          await app.sweep();
          const installation = {
            homeUrl: home.url("app"),
            regionUrl: (_key: string, name?: string) => region.url(name),
          };
          return (await findDifferences(installation)).length === 0;
        });
      await registerRegion(app, "own", regionUrl);
      organization = await createOrganization(app, "Quiet");
      const granted = await Promise.all([
        grant(app, organization, "own"),
        grant(app, await createOrganization(app, "Shared"), "own", "SHARED"),
      ]);
      expect(granted.map(({ state, failure }) => ({ state, failure }))).toEqual([
        { state: "ACTIVE", failure: null },
        { state: "ACTIVE", failure: null },
      ]);
      const apiPassword = async (server: OwnServer) => {
        const [row] = await sql<{ id: string }>(
          server.url("postgres"),
          "select system_identifier::text as id from pg_control_system()",
        );
        return app.services.apiRole.on(parseServerUrl(server.url(), "url"), row?.id ?? "").password ?? "";
      };
      const next = secrets["the region's next password"];
      await sql(region.url("postgres"), `alter role runs_region password '${scramVerifier(next, 2)}'`);
      await app.ask("mutation ($input: UpdateRegionInput!) { updateRegion(input: $input) { key } }", {
        input: { key: "own", connectionUrl: regionUrl.replace(secrets["the region's password"], next) },
      });
      await createResource(app, { name: "After", organizationId: organization, regionKey: "own" });
      await addMember(app, organization, await createUser(app));
      expect(await settled()).toBe(true);
      await app.ask("mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { id } }", {
        input: { placementId: granted[0]?.id, confirm: "Quiet", skipGrace: true },
      });
      const gone = "select from pg_database where datname = $1";
      expect(
        await eventually(async () => (await sql(region.url("postgres"), gone, [granted[0]?.database])).length === 0),
      ).toBe(true);
      const all = {
        ...secrets,
        "the API's password at home": await apiPassword(home),
        "the API's password in the region": await apiPassword(region),
        // The test's own verifiers are of two rounds.
        "a verifier": "SCRAM-SHA-256$1:",
      };
      expect([await findKept(home, all), await findKept(region, all)]).toEqual([[], []]);
    });
  },
);

describe("a statement with a secret", () => {
  let server: OwnServer;
  const pools = new Pools(() => undefined);
  beforeAll(async () => {
    server = await startServer({ settings: KEEPS_ALL });
    await sql(server.url("postgres"), "create extension pg_stat_statements");
  });
  afterAll(async () => {
    await pools.close();
    await server[Symbol.asyncDispose]();
  });
  const database = () => pools.open("server", parseServerUrl(server.url(), "url"), "postgres");
  const SETTINGS = `select name, setting, source from pg_settings
    where name ~ '^(log_|debug_|track_|pg_stat_statements|auto_explain|pgaudit)' or name = 'statement_timeout' order by 1`;

  test("is run, and the settings are as before and the server's own on the connection that ran it", async () => {
    const before = await database().query("settings", SETTINGS);
    const secret = newSecret();
    await inPrivate(database(), 5_000, async (session) => {
      await session.runSecret("comment", `comment on database postgres is '${secret}'`);
    });
    const after = await database().query("settings", SETTINGS);
    expect(after).toEqual(before);
    const [row] = await database().query<{ said: string; left: string }>(
      "comment.read",
      "select current_setting('tenantry.private_statement') as left, length(shobj_description(oid, 'pg_database'))::text as said from pg_database where datname = 'postgres'",
    );
    expect(row).toEqual({ left: "", said: String(secret.length) });
    expect(await findKept(server, { secret })).toEqual([]);
  });

  test.each([
    ["fails", (secret: string) => `create role postgres password '${secret}'`, "42710"],
    ["is no SQL", (secret: string) => `create nonsense '${secret}'`, "42601"],
    ["takes too long", (secret: string) => `do $x$ begin perform pg_sleep(60), '${secret}'; end $x$`, "57014"],
    [
      "cannot connect",
      (secret: string) =>
        `create subscription s connection 'host=127.0.0.1 port=1 password=${secret}' publication p with (create_slot = false)`,
      "08006",
    ],
  ])("that %s is told by its SQLSTATE, and kept nowhere", async (_, statement, code) => {
    const secret = newSecret();
    const run = inPrivate(database(), 300, (session) => session.runSecret("secret", statement(secret)));
    await expect(run).rejects.toMatchObject({ code });
    await expect(run).rejects.not.toThrow(secret);
    expect(await findKept(server, { secret })).toEqual([]);
  });

  test("where a provider refuses one setting, the others are off all the same and set back", async () => {
    const before = await database().query("settings", SETTINGS);
    // PostgreSQL has no rule that refuses one; a provider's module does it like this.
    const refusing = {
      session: (work: (session: object) => Promise<unknown>) =>
        database().session((session) => {
          const refused = () => Promise.reject(Object.assign(new Error("permission denied"), { code: "42501" }));
          const isRefused = (text: string) => text.includes("'track_activities'");
          const query: typeof session.query = (name, text, values) =>
            isRefused(text) && name !== "settings" ? refused() : session.query(name, text, values);
          const script: typeof session.script = (name, text) =>
            isRefused(text) ? refused() : session.script(name, text);
          return work({ ...session, query, script });
        }),
    } as unknown as ReturnType<typeof database>;
    const during = await inPrivate(refusing, 5_000, (session) =>
      session.query<{ setting: string }>(
        "settings",
        `select setting from pg_settings
         where name in ('log_statement', 'auto_explain.log_min_duration', 'track_activities') order by name`,
      ),
    );
    expect(during.map(({ setting }) => setting)).toEqual(["-1", "none", "on"]);
    expect(await database().query("settings", SETTINGS)).toEqual(before);
  });

  test("a server that logs everything would have kept it", async () => {
    const secret = newSecret();
    await sql(server.url("postgres"), `comment on database postgres is '${secret}'`);
    expect(await findKept(server, { secret })).toEqual(["secret in the log", "secret in pg_stat_statements"]);
  });
});
