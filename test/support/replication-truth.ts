/**
 * What must be true of replication when it has come to rest, read from the servers row by row. Home's projection is
 * computed from users, memberships and placements, not from the tables that the triggers keep.
 */
import pg from "pg";

export type Installation = {
  /** Home, with its database. */
  homeUrl: string;
  /** A region's server by the region's key, with a database when named. */
  regionUrl: (key: string, database?: string) => string;
};

type TenantDatabase = { id: number; name: string; region: string };

const MAX_EXAMPLES = 3;

/** The rows of each table, as one JSON text a row. */
type Query = <Row extends object>(text: string, values?: unknown[]) => Promise<Row[]>;

async function connected<Result>(url: string, work: (query: Query) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(async <Row extends object>(text: string, values: unknown[] = []) => {
      return (await client.query<Row>(text, values)).rows;
    });
  } finally {
    await client.end();
  }
}

const COLUMNS = {
  directory_organizations: "database_id, organization_id, name, created_at",
  directory_members: "database_id, organization_id, user_id, role, joined_at, name, email, user_created_at",
} as const;

const RESOURCES =
  "select database_id, id, organization_id, name, created_by, created_at, updated_at from app.resources";
/** Rows of no placement are home's own. */
const CATALOG = `select coalesce(p.database_id, 0) as database_id, c.id, c.organization_id, c.name, c.created_by, c.created_at, c.updated_at
  from catalog.resources c left join tenantry.placements p on p.number = c.placement_number
  where coalesce(p.database_id, 0) = $1`;

const TRUTH = {
  directory_organizations: `
    select p.database_id, p.organization_id, o.name, o.created_at
    from tenantry.placements p join tenantry.organizations o on o.id = p.organization_id where p.database_id = $1`,
  directory_members: `
    select p.database_id, m.organization_id, m.user_id, m.role, m.joined_at, u.name, u.email,
           u.created_at as user_created_at
    from tenantry.placements p join tenantry.memberships m on m.organization_id = p.organization_id
    join tenantry.users u on u.id = m.user_id where p.database_id = $1`,
} as const;

async function rowsOf(query: Query, select: string, values: unknown[] = []): Promise<Set<string>> {
  const rows = await query<{ row: string }>(`select to_jsonb(r)::text as row from (${select}) r`, values);
  return new Set(rows.map(({ row }) => row));
}

function compare(what: string, truth: Set<string>, copy: Set<string>): string[] {
  const examples = (rows: Set<string>) => [...rows].slice(0, MAX_EXAMPLES).join(" ");
  const without = (all: Set<string>, some: Set<string>) => new Set([...all].filter((row) => !some.has(row)));
  const [missing, extra] = [without(truth, copy), without(copy, truth)];
  return [
    ...(missing.size > 0 ? [`${what}: ${missing.size} of ${truth.size} rows are missing: ${examples(missing)}`] : []),
    ...(extra.size > 0 ? [`${what}: ${extra.size} rows are too many: ${examples(extra)}`] : []),
  ];
}

function listTenantDatabases(query: Query): Promise<TenantDatabase[]> {
  return query<TenantDatabase>(
    `select d.id, d.name, r.key as region from tenantry.tenant_databases d
     join tenantry.regions r on r.id = d.region_id order by d.id`,
  );
}

/** Where a copy differs from its source, or home's projection from what it projects; empty when all agree. */
export function findDifferences({ homeUrl, regionUrl }: Installation): Promise<string[]> {
  return connected(homeUrl, async (home) => {
    const found = compare("home's own catalog", await rowsOf(home, RESOURCES), await rowsOf(home, CATALOG, [0]));
    for (const { id, name, region } of await listTenantDatabases(home))
      await connected(regionUrl(region, name), async (tenant) => {
        for (const table of ["directory_organizations", "directory_members"] as const) {
          const truth = await rowsOf(home, TRUTH[table], [id]);
          const select = `select ${COLUMNS[table]} from tenantry.${table}`;
          found.push(
            ...compare(
              `${name}, ${table} at home`,
              truth,
              await rowsOf(home, `${select} where database_id = $1`, [id]),
            ),
          );
          found.push(...compare(`${name}, ${table} in the region`, truth, await rowsOf(tenant, select)));
        }
        found.push(...compare(`${name}, catalog`, await rowsOf(tenant, RESOURCES), await rowsOf(home, CATALOG, [id])));
      });
    return found;
  });
}

type ServerParts = { url: string; slots: string[]; subscriptions: string[] };

/** Whatever is awake, missing or surplus on the servers of the installation; empty when all is at rest. */
export function findUnrest({ homeUrl, regionUrl }: Installation): Promise<string[]> {
  return connected(homeUrl, async (home) => {
    const databases = await listTenantDatabases(home);
    const found = await unrestOfDatabase(
      "home",
      home,
      databases.map(({ name }) => `${name}_directory`),
    );
    // Home and regions may be databases of one server.
    const servers = new Map<string, ServerParts>();
    const partsOn = (url: string) => {
      const { host } = new URL(url);
      const parts = servers.get(host) ?? { url, slots: [], subscriptions: [] };
      servers.set(host, parts);
      return parts;
    };
    partsOn(homeUrl);
    for (const { name, region } of databases) {
      const url = regionUrl(region, name);
      partsOn(homeUrl).slots.push(`${name}_directory`);
      partsOn(homeUrl).subscriptions.push(`${name}_catalog`);
      partsOn(url).slots.push(`${name}_catalog`);
      partsOn(url).subscriptions.push(`${name}_directory`);
      found.push(...(await connected(url, (query) => unrestOfDatabase(name, query, [`${name}_catalog`]))));
    }
    for (const [server, parts] of servers)
      found.push(...(await connected(parts.url, (query) => unrestOfServer(server, query, parts))));
    return found;
  });
}

async function unrestOfServer(server: string, query: Query, parts: ServerParts): Promise<string[]> {
  const names = async (text: string) => new Set((await query<{ name: string }>(text)).map(({ name }) => name));
  const awake = await names(`
    select 'slot ' || slot_name as name from pg_replication_slots where active
    union all select 'subscription ' || subname from pg_subscription where subenabled
    union all select 'subscription without its slot ' || subname from pg_subscription
      where subslotname is distinct from subname
    union all select backend_type || ' ' || pid from pg_stat_activity
      where backend_type = 'walsender' or backend_type ~ '^logical replication (apply |parallel |tablesync )?worker$'`);
  const slots = await names("select slot_name as name from pg_replication_slots");
  const subscriptions = await names("select subname as name from pg_subscription");
  return [
    ...[...awake].map((what) => `${server}: there is a ${what}`),
    ...compare(`${server}, slots`, new Set(parts.slots), slots),
    ...compare(`${server}, subscriptions`, new Set(parts.subscriptions), subscriptions),
  ];
}

async function unrestOfDatabase(what: string, query: Query, publications: string[]): Promise<string[]> {
  const rows = await query<{ name: string }>("select pubname as name from pg_publication");
  return compare(`${what}, publications`, new Set(publications), new Set(rows.map(({ name }) => name)));
}
