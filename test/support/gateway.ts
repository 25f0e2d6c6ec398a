/** A gateway by itself between two databases: one publishes, one subscribes, as a link does, and nothing else of the program. */
import { randomBytes } from "node:crypto";
import { connectionOf } from "../../src/engine/border/address.ts";
import { Gateway } from "../../src/engine/border/gateway.ts";
import type { GatewayLink, GatewayOptions } from "../../src/engine/border/options.ts";
import type { Refusal } from "../../src/engine/border/ledger/refusals.ts";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { sql } from "./app.ts";

export type LoneLink = AsyncDisposable & {
  name: string;
  gateway: Gateway;
  /** Ends the gateway at once, as a process that is killed does, and starts another at the same port. */
  replaceGateway: () => Promise<void>;
  publisher: (text: string) => Promise<Record<string, unknown>[]>;
  subscriber: (text: string) => Promise<Record<string, unknown>[]>;
  subscriberUrl: string;
  /** What the subscriber is told; `changes` over what is right. */
  connection: (changes?: Partial<{ user: string; password: string; parameters: Record<string, string> }>) => string;
  /** Makes the subscription, enabled. `options` go behind those that every one has. */
  subscribe: (connection?: string, options?: string) => Promise<void>;
  rowsCrossed: Map<string, number>;
  refusals: Refusal[];
  breaches: string[];
};

const SCHEMA = `create schema tenantry;
  create table tenantry.things (database_id int not null, id int not null, name text, primary key (database_id, id));
  create table tenantry.secrets (id int primary key, word text);`;
const INBOX = `create schema tenantry_inbox;
  create table tenantry_inbox.things (database_id int not null, id int not null, name text, primary key (database_id, id));`;

/** `publisher` and `subscriber` are servers' URLs without a database. */
export async function startLoneLink(
  publisher: string,
  subscriber: string,
  {
    direction = "catalog",
    ...options
  }: Partial<Omit<GatewayOptions, "findLink" | "ledger" | "onBreach">> & { direction?: GatewayLink["direction"] } = {},
): Promise<LoneLink> {
  const unique = randomBytes(4).toString("hex");
  const name = `tenantry_${unique}_1_catalog`;
  const databases = { publisher: `published_${unique}`, subscriber: `subscribed_${unique}` };
  await sql(`${publisher}/postgres`, `create database ${databases.publisher}`);
  await sql(`${subscriber}/postgres`, `create database ${databases.subscriber}`);
  const at = {
    publisher: (text: string) => sql(`${publisher}/${databases.publisher}`, text),
    subscriber: (text: string) => sql(`${subscriber}/${databases.subscriber}`, text),
  };
  await at.publisher(SCHEMA);
  await at.subscriber(SCHEMA);
  await at.subscriber(INBOX);
  await at.publisher(
    `create publication ${name} for table tenantry.things (database_id, id, name) where (database_id = 1)
       with (publish = 'insert, update, delete')`,
  );
  await at.publisher(`select pg_create_logical_replication_slot('${name}', 'pgoutput')`);
  const password = randomBytes(16).toString("hex");
  const tables = [
    {
      table: "things",
      from: "tenantry.things",
      into: "tenantry_inbox.things",
      key: ["database_id", "id"],
      columns: ["database_id", "id", "name"],
    },
  ];
  const link: GatewayLink = {
    name,
    databaseId: 1,
    direction,
    region: { id: "00000000-0000-7000-8000-000000000000", key: "eu" },
    password,
    tables,
    accepted: tables,
    publisher: {
      address: parseServerUrl(publisher, "publisher"),
      database: databases.publisher,
      requireOwned: () => Promise.resolve(),
    },
  };
  const rowsCrossed = new Map<string, number>();
  const refusals: Refusal[] = [];
  const breaches: string[] = [];
  const listen = (port: number) =>
    Gateway.listen({
      host: "127.0.0.1",
      port,
      report: () => undefined,
      ...options,
      findLink: async (user) => (user === name ? link : undefined),
      onBreach: (_, sentence) => breaches.push(sentence),
      ledger: {
        crossed: ({ table }, rows) => rowsCrossed.set(table, (rowsCrossed.get(table) ?? 0) + rows),
        refused: (refusal) => refusals.push(refusal),
      },
    });
  let gateway = await listen(0);
  const { port } = gateway;
  const connection: LoneLink["connection"] = ({ user = name, password: other = password, parameters = {} } = {}) =>
    connectionOf({ host: "127.0.0.1", port, parameters: new Map(Object.entries(parameters)) }, user, other);
  return {
    name,
    get gateway() {
      return gateway;
    },
    replaceGateway: async () => {
      await gateway.close();
      gateway = await listen(port);
    },
    ...at,
    subscriberUrl: `${subscriber}/${databases.subscriber}`,
    connection,
    subscribe: async (told = connection(), more = "") => {
      await at.subscriber(
        `create subscription ${name} connection '${told.replaceAll("'", "''")}' publication ${name}
           with (create_slot = false, slot_name = '${name}', copy_data = false ${more})`,
      );
    },
    rowsCrossed,
    refusals,
    breaches,
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await at.subscriber(
        `do $$ begin
           if exists (select from pg_subscription where subname = '${name}') then
             execute 'alter subscription ${name} disable';
             execute 'alter subscription ${name} set (slot_name = none)';
           end if;
         end $$`,
      );
      await at.subscriber(`drop subscription if exists ${name}`);
      await sql(`${subscriber}/postgres`, `drop database ${databases.subscriber} with (force)`);
      await sql(
        `${publisher}/postgres`,
        `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = '${name}' and active_pid is not null`,
      );
      await sql(`${publisher}/postgres`, `drop database ${databases.publisher} with (force)`);
    },
  };
}
