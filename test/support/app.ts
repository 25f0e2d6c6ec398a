/** A Tenantry of its own for a test file: a home database on the shared servers, an API on a free port. */
import { randomBytes } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { startApp as start } from "../../src/main.ts";
import type { Services } from "../../src/engine/services.ts";
import { recordSaid, recordSecret } from "./run-record.ts";
import { type GivenSettings, testSettings } from "./settings.ts";

export type ServerName = "home" | "eu" | "us";

/** The superuser's URL of a shared server, without a database name. */
export function serverUrl(name: ServerName): string {
  return inject("serverUrls")[name];
}

/** Runs one statement on a server; rows as they come. */
export async function sql<Row extends object = Record<string, unknown>>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** PostgreSQL's major version of the server. */
export async function majorVersionOf(url: string): Promise<number> {
  const [row] = await sql<{ major: number }>(url, "select current_setting('server_version_num')::int / 10000 as major");
  return row?.major ?? 0;
}

export type TestApp = {
  url: string;
  /** Where metrics are without a key; undefined where `metricsListen` was not given. */
  metricsUrl: string | undefined;
  homeUrl: string;
  databaseUrl: string;
  secretKey: string;
  /** Where the gateway of this process listens; undefined in the role `api`. */
  gatewayPort: number | undefined;
  /** What runs in this process; for tests that reach behind the API. */
  services: Services;
  /** Sends an operation; throws unless there is data without errors. `as` acts as that user. */
  ask: <Data = any>(query: string, variables?: object, as?: string) => Promise<Data>;
  /** Sends an operation and returns the first error's code, field and message. */
  refuse: (
    query: string,
    variables?: object,
    as?: string,
  ) => Promise<{ code: string; field?: string; message: string }>;
  /** Sweeps every region that this process carries, now. */
  sweep: () => Promise<void>;
  stop: () => Promise<void>;
};

/** Starts the API and the job runner with a fresh home database on `homeServer`. */
export async function startApp({
  homeServer,
  ...options
}: GivenSettings & { homeServer?: string } = {}): Promise<TestApp> {
  const server = homeServer ?? serverUrl("home");
  const databaseUrl = options.databaseUrl ?? (await createHome(server));
  const secretKey = options.secretKey ?? randomBytes(32).toString("base64");
  for (const key of [secretKey, ...(options.previousSecretKeys ?? [])]) recordSecret(inject("runFolder"), key);
  const settings = testSettings({
    ...options,
    databaseUrl,
    databasePoolUrl: options.databasePoolUrl ?? poolUrlOf(databaseUrl),
    secretKey,
    // Everybody in a test has one address, so that what one fails at would keep others out.
    api: { ...options.api, limits: { signInFailuresPerMinute: 0, ...options.api?.limits } },
    // Nobody reads it but the search for secrets, so all of it is written.
    logLevel: "trace",
    logDestination: { write: (line) => recordSaid(inject("runFolder"), "the log", line) },
  });
  const app = await start(settings);
  const url = app.url ?? "";
  const send = async (query: string, variables: object = {}, as?: string) => {
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(as === undefined ? {} : { "x-user-id": as }) },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as {
      data?: any;
      errors?: { message: string; extensions: { code: string; field?: string; requestId?: string } }[];
    };
  };
  return {
    url,
    metricsUrl: app.metricsUrl,
    homeUrl: server,
    databaseUrl,
    secretKey,
    gatewayPort: app.gateway?.port,
    services: app.services,
    ask: async (query, variables, as) => {
      const { data, errors } = await send(query, variables, as);
      if (errors !== undefined) throw new Error(`unexpected errors: ${JSON.stringify(errors)}`);
      return data;
    },
    refuse: async (query, variables, as) => {
      const { data, errors } = await send(query, variables, as);
      const error = errors?.[0];
      if (error === undefined) throw new Error(`an error was expected, not ${JSON.stringify(data)}`);
      const { requestId: _, ...extensions } = error.extensions;
      return { ...extensions, message: error.message };
    },
    sweep: async () => {
      await app.replication?.sweepNow();
    },
    stop: async () => {
      await recordStored(databaseUrl);
      if (url !== "") await fetch(`${url}/metrics`).then((response) => response.text());
      await app.close();
    },
  };
}

/** The pooler in front of a shared server, in a run with BEHIND_POOLER. */
export function poolUrlOf(url: string): string | undefined {
  const { host } = new URL(url);
  return Object.entries(inject("poolUrls")).find(([server]) => new URL(server).host === host)?.[1];
}

/** What is stored to be shown to people later: failures, inputs and results. Nothing where home is away. */
async function recordStored(databaseUrl: string): Promise<void> {
  const rows = await sql(
    databaseUrl,
    `select jsonb_build_array(kind, input, last_error, result)::text as text from tenantry.jobs
     union all select a::text from tenantry.audit_log a
     union all select r::text from tenantry.border_refusals r
     union all select failure from tenantry.links where failure is not null
     union all select failure from tenantry.placements where failure is not null
     union all select migration_failure from tenantry.tenant_databases where migration_failure is not null`,
  ).catch(() => []);
  for (const { text } of rows) recordSaid(inject("runFolder"), "what is stored", String(text));
}

/** Makes an empty database for a home on the server. */
export async function createHome(server: string): Promise<string> {
  const name = `home_${randomBytes(6).toString("hex")}`;
  await sql(`${server}/postgres`, `create database ${name}`);
  return `${server}/${name}`;
}
