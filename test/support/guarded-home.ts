/**
 * A migrated home with two tenant databases that are on no server: database 1 with the placements of two organizations, and
 * database 2 with that of a third one. For tests that play the regions.
 */
import { newId } from "../../src/base/kernel/ids.ts";
import { inboxRoleName } from "../../src/engine/replication/names.ts";
import { sql, startApp, type TestApp } from "./app.ts";

export type GuardedHome = {
  app: TestApp;
  url: string;
  installation: string;
  inboxRole: string;
  /** The organizations and the numbers of their placements. `second` shares database 1; `other` is alone in database 2. */
  first: Placed;
  second: Placed;
  other: Placed;
};
export type Placed = { organization: string; number: number; databaseId: number };

export async function createGuardedHome(): Promise<GuardedHome> {
  // Without a worker: nobody looks after links that lead nowhere.
  const app = await startApp({ role: "api" });
  const url = app.databaseUrl;
  const [row] = await sql<{ id: string }>(url, "select id from tenantry.installation");
  const installation = row?.id ?? "";
  const region = newId();
  await sql(
    url,
    `insert into tenantry.regions
       (id, key, name, connection_url, host, port, system_identifier, server_version, subscription_method)
     values ($1, 'played', 'Played', '', 'nowhere.invalid', 5432, 'played', 180000, 'SUPERUSER')`,
    [region],
  );
  const databases = await sql<{ id: number }>(
    url,
    `insert into tenantry.tenant_databases (region_id, isolation, name)
     select $1, isolation, name from (values ('SHARED', 'played_1'), ('DEDICATED', 'played_2')) as d (isolation, name)
     returning id`,
    [region],
  );
  const place = async (name: string, at: number): Promise<Placed> => {
    const organization = newId();
    const databaseId = databases[at]?.id ?? 0;
    await sql(url, "insert into tenantry.organizations (id, name) values ($1, $2)", [organization, name]);
    const [placed] = await sql<{ number: number }>(
      url,
      `insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
       select $1, $2, $3, id, isolation, 'ACTIVE' from tenantry.tenant_databases where id = $4 returning number`,
      [newId(), organization, region, databaseId],
    );
    return { organization, number: placed?.number ?? 0, databaseId };
  };
  const first = await place("First", 0);
  const second = await place("Second", 0);
  const other = await place("Other", 1);
  return { app, url, installation, inboxRole: inboxRoleName(installation), first, second, other };
}

/** What home has of tenant databases: the catalog's names, and the faults of the inbox. */
export async function readCatalog(url: string): Promise<{ names: string[]; faults: string[] }> {
  const names = await sql<{ name: string }>(
    url,
    'select name from catalog.resources where placement_number > 0 order by name collate "C"',
  );
  const faults = await sql<{ fault: string }>(
    url,
    "select fault from tenantry_inbox.resources where fault is not null order by fault",
  );
  return { names: names.map(({ name }) => name), faults: faults.map(({ fault }) => fault) };
}
