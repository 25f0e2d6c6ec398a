/** Two tenant databases of one schema on two servers, without a home: what copies and compares takes no more. */
import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { parseServerUrl } from "../../src/base/postgres/connection-url.ts";
import { Pools } from "../../src/base/postgres/pools.ts";
import { readMigration, tenantSchemaOf } from "../../src/engine/migrations/migration-set.ts";
import { migrate } from "../../src/engine/migrations/runner.ts";
import { type Moved, type MovedTable, movedTables, type Side } from "../../src/engine/moves/moved-tables.ts";
import { newId, newRoutedId } from "../../src/base/kernel/ids.ts";
import { serverUrl, sql } from "./app.ts";
import { recordSecret } from "./run-record.ts";

export type TestSide = Side & {
  /** The superuser's. */
  readonly url: string;
  readonly run: <Row extends object = Record<string, unknown>>(text: string, values?: unknown[]) => Promise<Row[]>;
};

export type TwoSides = AsyncDisposable & {
  /** Of the version of home in a mixed run, and the other of the regions'. */
  readonly from: TestSide;
  readonly to: TestSide;
  readonly moved: Moved;
  readonly tables: readonly MovedTable[];
  /** In the source, of all tables. */
  readonly publication: string;
  /** A fresh id of the placement. */
  readonly id: () => string;
};

const TABLE = /create table (app\.\w+)/g;

/**
 * `schema`: the app's migration. `operator`: the operator's role owns the databases and is no superuser. The target refuses
 * writers of the placement.
 */
export async function openTwoSides(
  schema: string,
  { operator = false, fromUrl = serverUrl("home"), toUrl = serverUrl("eu") } = {},
): Promise<TwoSides> {
  const unique = randomBytes(5).toString("hex");
  const number = 7;
  const moved = { organizationId: newId(), number };
  const pools = new Pools(() => undefined, { maxPerDatabase: 4 });
  const drops: (() => Promise<unknown>)[] = [];
  const declared = [...schema.matchAll(TABLE)].map(([, name = ""]) => name);
  const flowing = (name: string) => (schema.includes(`tenantry.catalog('${name}'`) ? ["id"] : null);
  const tables = movedTables(declared.map((name) => ({ name, catalog: flowing(name) })));

  const open = async (server: string, databaseId: number): Promise<TestSide> => {
    const name = `moved_${databaseId}_${unique}`;
    const api = `moved_api_${databaseId}_${unique}`;
    const role = `moved_operator_${databaseId}_${unique}`;
    const admin = `${server}/postgres`;
    const signIn = new URL(server);
    if (operator) {
      const password = randomBytes(12).toString("hex");
      recordSecret(inject("runFolder"), password);
      await sql(admin, `create role ${role} login createrole replication password '${password}'`);
      Object.assign(signIn, { username: role, password });
    }
    await sql(admin, `create database ${name}${operator ? ` owner ${role}` : ""}`);
    drops.push(async () => {
      await sql(admin, `drop database if exists ${name} with (force)`);
      await sql(admin, `drop role if exists ${api}`);
      await sql(admin, `drop role if exists ${role}`);
    });
    const address = parseServerUrl(signIn.href.replace(/\/$/, ""), "url");
    const database = pools.open("tenant", address, name);
    const set = tenantSchemaOf([readMigration("app", 1, "own", schema)]);
    await migrate(database, set, api);
    const url = `${server}/${name}`;
    const run = <Row extends object>(text: string, values?: unknown[]) => sql<Row>(url, text, values);
    await run("insert into tenantry.identity (installation_id, database_id) values ('test', $1)", [databaseId]);
    for (const table of tables) await run(`alter table ${table.name} no force row level security`);
    return { database, databaseId, url, run };
  };
  const [from, to] = await Promise.all([open(fromUrl, 3), open(toUrl, 4)]);
  const publication = `moved_${unique}`;
  for (const { name } of tables) {
    // What a row filter goes by is part of what a change is told with.
    const index = `${name.replace(".", "_")}_moved`;
    await from.run(`create unique index ${index} on ${name} (organization_id, id)`);
    await from.run(`alter table ${name} replica identity using index ${index}`);
  }
  const filtered = tables.map(({ name }) => `${name} where (organization_id = '${moved.organizationId}')`);
  await from.run(`create publication ${publication} for table ${filtered.join(", ")}`);
  await to.run("insert into tenantry.closed_placements (number) values ($1)", [number]);
  return {
    from,
    to,
    moved,
    tables,
    publication,
    id: () => newRoutedId(number),
    [Symbol.asyncDispose]: async () => {
      await pools.close();
      for (const drop of drops) await drop();
    },
  };
}

/** Writes entries into the audit log, as the API would. */
export async function addEntries({ from, moved, id }: TwoSides, count: number): Promise<void> {
  const ids = Array.from({ length: count }, id);
  await from.run(
    `insert into tenantry.audit_log (id, database_id, organization_id, who, via, address, action, subject_kind, subject_id)
     select one, $2, $3, 'OPERATOR', 'API', '2001:db8::1/64', 'test', 'ROW', one from unnest($1::uuid[]) as one`,
    [ids, from.databaseId, moved.organizationId],
  );
}
