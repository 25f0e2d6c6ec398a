/** A tenant database that somebody else uses is not dropped until they are done, and what is in the way is named. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql, startApp, type TestApp } from "../support/app.ts";
import { addMember, createOrganization, createUser, eventually, grant, registerRegion } from "../support/journey.ts";
import { type OwnServer, startServer } from "../support/servers.ts";

let app: TestApp;
let server: OwnServer;

beforeAll(async () => {
  server = await startServer({ settings: { max_prepared_transactions: "10" } });
  await sql(server.url("postgres"), "create database others");
  app = await startApp();
  await registerRegion(app, "own", server.url());
}, 60_000);
afterAll(async () => {
  await app.stop();
  await server[Symbol.asyncDispose]();
});

/** Subscribes a database of the server to another one, as whoever copies data out of it would. */
async function subscribe(from: string, to: string, name: string): Promise<void> {
  await sql(server.url(from), `create publication ${name}`);
  await sql(server.url(from), `select pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  const { hostname, port, username, password } = new URL(server.url());
  await sql(
    server.url(to),
    `create subscription ${name} connection 'host=${hostname} port=${port} user=${username} password=${password} dbname=${from}'
     publication ${name} with (create_slot = false, slot_name = '${name}', copy_data = false)`,
  );
  const isRead = async () =>
    (await sql(server.url("postgres"), "select from pg_replication_slots where slot_name = $1 and active", [name]))
      .length;
  expect(await eventually(isRead)).toBe(1);
}

async function unsubscribe(to: string, name: string): Promise<void> {
  // A database that is being revoked takes no writes of those who do not insist.
  await sql(`${server.url(to)}?options=-c%20default_transaction_read_only%3Doff`, `drop subscription ${name}`);
}

type Case = {
  what: string;
  /** Begins to use the database. Returns how to end that. */
  use: (database: string) => Promise<() => Promise<unknown>>;
  owner: string;
  operator: RegExp;
};
const cases: Case[] = [
  {
    what: "somebody's slot that is read",
    use: async (database) => {
      await subscribe(database, "others", "cdc_tool");
      return () => unsubscribe("others", "cdc_tool");
    },
    owner: "a replication slot that is being read",
    operator:
      /a replication slot that is being read, "cdc_tool" of the role postgres, program "cdc_tool"\..* pg_drop_replication_slot/,
  },
  {
    what: "somebody's subscription",
    use: async (database) => {
      await subscribe("others", database, "custom");
      return () => unsubscribe(database, "custom");
    },
    owner: "a subscription",
    operator: /a subscription, "custom" of the role postgres\. Drop the subscription in that database/,
  },
  {
    what: "a prepared transaction",
    use: async (database) => {
      await sql(server.url(database), "begin; create table public.x (i int); prepare transaction 'left over'");
      return () => sql(server.url(database), "rollback prepared 'left over'");
    },
    owner: "a prepared transaction",
    operator:
      /a prepared transaction, "left over" of the role postgres\. End it in that database with ROLLBACK PREPARED/,
  },
];

const REVOKE = "mutation ($input: RevokeRegionAccessInput!) { revokeRegionAccess(input: $input) { state } }";
const JOBS = "query ($id: ID!) { jobs(first: 10, placementId: $id) { edges { node { kind lastError } } } }";

test.each(cases)(
  "$what",
  async ({ use, owner, operator }) => {
    const user = await createUser(app);
    const organization = await createOrganization(app, "Used");
    await addMember(app, organization, user, "OWNER");
    const placement = await eventually(async () => {
      const granted = await grant(app, organization, "own");
      return granted.state === "ACTIVE" ? granted : undefined;
    }, 30_000);
    if (placement === undefined) throw new Error("the placement did not become ACTIVE");
    const end = await use(placement.database);
    await app.ask(REVOKE, { input: { placementId: placement.id, confirm: "Used", skipGrace: true } });
    const errorFor = async (as?: string): Promise<string | undefined> => {
      const { jobs } = await app.ask(JOBS, { id: placement.id }, as);
      return jobs.edges.find((edge: any) => edge.node.kind === "revoke-placement")?.node.lastError ?? undefined;
    };
    expect(await eventually(() => errorFor(), 20_000)).toMatch(operator);
    // An owner learns what it is, and no name of anybody else's.
    expect(await errorFor(user)).toBe(`The database cannot be dropped while ${owner} uses it; it is tried again.`);
    await end();
    const isGone = async () =>
      (await sql(server.url("postgres"), "select from pg_database where datname = $1", [placement.database])).length ===
      0;
    expect(await eventually(isGone, 40_000)).toBe(true);
  },
  90_000,
);
