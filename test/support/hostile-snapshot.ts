/** Everything of home and of the other region that an attack from `eu` may not change, and what it may not have read. */
import { execFileSync } from "node:child_process";
import pg from "pg";
import { expect } from "vitest";
import type { Stage } from "./hostile-region.ts";
import { eventually } from "./journey.ts";

/** Where each row was found, as text. */
type Snapshot = Map<string, readonly string[]>;

/** What the program itself writes about its links and what they carry. */
const BOOKKEEPING = new Set([
  "links",
  "directory_changes",
  "region_positions",
  "border_days",
  "border_refusals",
  "catalog_changes",
  // What followers are told of: ids of what has changed, which is compared itself.
  "changes",
]);

const SERVER = `
  select 'role ' || rolname as label, a::text as row from pg_authid a
  union all select 'member', m::text from (select roleid::regrole, member::regrole from pg_auth_members) m
  union all select 'database', datname from pg_database
  union all select 'publication', pubname from pg_publication
  union all select 'trigger', tgrelid::regclass::text || ' ' || tgname || ' ' || tgenabled::text from pg_trigger where not tgisinternal
  union all select 'function', p.oid::regprocedure::text || md5(prosrc) || proowner::regrole::text from pg_proc p
    where pronamespace::regnamespace::text ~ '^(tenantry|app$|catalog$)'
  union all select 'table', oid::regclass::text || ' ' || relowner::regrole::text || coalesce(relacl::text, '') from pg_class
    where relnamespace::regnamespace::text ~ '^(tenantry|app$|catalog$)'
  union all select 'prepared', gid from pg_prepared_xacts`;

/** Catalog rows of the region's own placements may change, and nothing else. */
export async function snapshot({ home, mine, sharers, servers, other }: Stage): Promise<Snapshot> {
  const own = [mine, ...sharers].map(({ databaseId }) => databaseId);
  const [{ name } = { name: "" }] = await home<{ name: string }>("select current_database() as name");
  const found: Snapshot = new Map();
  await read(servers.home.url(name), "home", found, (table) =>
    ["catalog.resources", "tenantry_inbox.resources"].includes(table)
      ? `where not coalesce(${mayChange(table, own)}, false)`
      : "",
  );
  await read(servers.us.url(other.database), "us", found, () => "");
  const links = await home<{ row: string }>(
    `select subname || ' ' || subowner::regrole::text || coalesce(subslotname, subname) || array_to_string(subpublications, ',') ||
       coalesce((select string_agg(srrelid::regclass::text, ',' order by 1) from pg_subscription_rel where srsubid = s.oid), '') as row
     from pg_subscription s where subdbid = (select oid from pg_database where datname = current_database()) order by 1`,
  );
  const isOwn = ({ row }: { row: string }) => [mine, ...sharers].some(({ database }) => row.startsWith(`${database}_`));
  const rowsOf = (some: { row: string }[]) => some.map(({ row }) => row);
  found.set("home, subscriptions", rowsOf(links.filter((link) => !isOwn(link))));
  found.set(OWN_LINKS, rowsOf(links.filter(isOwn)));
  return found;
}

/** Rows of the region's own placements that are as they may be, and those that the inbox has kept the key of. */
function mayChange(table: string, own: readonly number[]): string {
  const placedIn =
    table === "catalog.resources"
      ? "(select p.database_id from tenantry.placements p where p.number = t.placement_number)"
      : "t.database_id";
  return `(${placedIn} = any('{${own.join(",")}}') and (
    to_jsonb(t) ->> 'fault' is not null and num_nonnulls(organization_id, name, created_by, created_at, updated_at) = 0
    or created_at between '2000-01-01' and '2099-12-31' and char_length(name) between 1 and 200 and exists (
      select from tenantry.placements p where p.database_id = ${placedIn} and p.organization_id = t.organization_id
        and p.number = tenantry.placement_number_of(t.id))))`;
}

async function read(url: string, label: string, found: Snapshot, where: (table: string) => string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const tables = await client.query<{ schema: string; name: string }>(
      `select relnamespace::regnamespace::text as schema, relname as name from pg_class
       where relkind in ('r', 'p') and relnamespace::regnamespace::text ~ '^(tenantry|app$|catalog$)' order by 1, 2`,
    );
    for (const { schema, name } of tables.rows) {
      if (BOOKKEEPING.has(name)) continue;
      const rows = await client.query<{ row: string }>(
        `select t::text as row from ${schema}.${name} t ${where(`${schema}.${name}`)} order by 1`,
      );
      found.set(
        `${label}, ${schema}.${name}`,
        rows.rows.map(({ row }) => row),
      );
    }
    const server = await client.query<{ label: string; row: string }>(`select * from (${SERVER}) s order by 1, 2`);
    found.set(
      `${label}, server`,
      server.rows.map((one) => `${one.label} ${one.row}`),
    );
  } finally {
    await client.end();
  }
}

/** The region's own may be on their way out and in again. What is there is as it was. */
const OWN_LINKS = "home, subscriptions of the region";

/** Expects that nothing changed but rows in which one of `besides` stands. */
function expectUnchanged(before: Snapshot, after: Snapshot, besides: readonly string[]): void {
  const plain = (one: Snapshot) =>
    Object.fromEntries(
      [...one]
        .filter(([label]) => label !== OWN_LINKS)
        .map(([label, rows]) => [label, rows.filter((row) => !besides.some((id) => row.includes(id)))]),
    );
  for (const link of after.get(OWN_LINKS) ?? []) expect(before.get(OWN_LINKS)).toContain(link);
  expect(plain(after)).toEqual(plain(before));
}

/** Two mends, each with its own deadlines: the lock, the slot, the seed. */
const WHOLE_WITHIN_MS = 60_000;

/** Which links of the region there are, and what its server and home's are doing. */
async function describeLinks({ home, eu }: Stage, found: Snapshot): Promise<string> {
  const acts = `select backend_type, state, wait_event, pg_blocking_pids(pid) as blockers, left(query, 100) as query
    from pg_stat_activity where state <> 'idle' or backend_type ~ 'logical'`;
  const noted = "select database_id, direction, failure from tenantry.links where failure is not null";
  return JSON.stringify({
    links: found.get(OWN_LINKS),
    errors: await home(noted),
    home: await home(acts),
    region: await eu(acts),
  });
}

/** What of the secrets stands anywhere in the region's data folder: tables, WAL, subscriptions, logs. */
async function findSecrets({ servers, secrets, eu }: Stage): Promise<string[]> {
  await eu("checkpoint");
  return secrets.filter((secret) => {
    try {
      execFileSync("grep", ["-rqaF", "--", secret, servers.eu.dataFolder], { stdio: "ignore" });
      return true;
    } catch (error) {
      // 2: also where a file was gone before it was read.
      if ([1, 2].includes((error as { status: number }).status)) return false;
      throw error;
    }
  });
}

/**
 * Runs an attack, then a write of the other region's tenant until home has it, and expects that nothing else changed at home
 * or in the other region, and that nothing of theirs came to the attacked one. An attack gives the ids of what was written
 * elsewhere meanwhile.
 */
export async function expectHarmless(stage: Stage, attack: () => Promise<readonly string[] | void>): Promise<void> {
  let before: Snapshot = new Map();
  const areWhole = async () => {
    before = await snapshot(stage);
    if (before.get(OWN_LINKS)?.length === 2) return true;
    // A carrier that began anew meanwhile finds by a sweep what its forerunner was mending.
    await stage.app.sweep().catch(() => undefined);
    return false;
  };
  if (!(await eventually(areWhole, WHOLE_WITHIN_MS)))
    throw new Error(`the region's links are not whole: ${await describeLinks(stage, before)}`);
  const besides = (await attack()) ?? [];
  const written = await stage.writeElsewhere();
  expectUnchanged(before, await snapshot(stage), [...besides, written]);
  expect(await findSecrets(stage)).toEqual([]);
}
