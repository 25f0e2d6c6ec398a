/**
 * Subscriptions on the servers that hold something else than a link's credential for the gateway: a mistake, or somebody's
 * work, that would give one server's administrator the run of another server. Where a subscription leads is compared here: a
 * region's server is told nothing of home, and its connection strings never leave it whole. Reads only.
 */
import { nameFrom } from "#base/kernel/validation";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import { onEachServer } from "#engine/doctor/servers";
import { namePrefix } from "#engine/replication/names";
import type { Services } from "#engine/services";

/** What was found on one server. */
export type StrangeCredential = {
  /** A region's key, or `home`. */
  server: string;
  /** In one sentence, without a secret. */
  sentence: string;
};

type Home = Pick<Services, "installation" | "homeAddress" | "homeDatabaseName">;

/** As a server answers; it can answer anything. */
type Row = { name: unknown; database: unknown; hosts: unknown; ports: unknown; databases: unknown };
type Subscription = { name: string; database: string; hosts: string[]; ports: string[]; databases: string[] };

const DEFAULT_PORT = "5432";
const MAX_SUBSCRIPTIONS = 100;
const MAX_SHOWN_LENGTH = 100;
/** Longer than any name on a server and any host. */
const MAX_TEXT_LENGTH = 1_000;

/**
 * One setting of a connection string, as libpq reads it: a value that begins with a quote ends with one, and a backslash keeps
 * what follows. Whole pairs, so that a password which holds ` host=` is not taken apart.
 */
const PAIR = String.raw`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?!')(?:[^\s\\]|\\.)*)`;

/** Looks at every server that can be reached. One whose role may not read connection strings is left out. */
export function findStrangeCredentials(services: Services): Promise<StrangeCredential[]> {
  return onEachServer(services, ({ name, look }) => strangeCredentialsOn(services, name, look));
}

/** Looks at one server, which is sent nothing of home but the installation's prefix: it has names with it anyway. */
export async function strangeCredentialsOn(
  home: Home,
  server: string,
  look: Queryable<DatabaseKind>,
): Promise<StrangeCredential[]> {
  if (!(await mayRead(look))) return [];
  const prefix = namePrefix(home.installation);
  const rows = await look.query<Row>(
    "credentials.find",
    // A link's subscription signs in as the link and nothing else: such ones are left out, as there can be thousands. Those of
    // ours that do not come first. URIs are not taken apart: a value of theirs would run on into the password.
    `select pg_catalog.left(s.subname, ${MAX_SHOWN_LENGTH}) as name,
            pg_catalog.left(d.datname, ${MAX_SHOWN_LENGTH}) as database, p.hosts, p.ports, p.databases
     from pg_catalog.pg_subscription s
     join pg_catalog.pg_database d on d.oid = s.subdbid
     cross join lateral (
       select pg_catalog.starts_with(s.subname, $1) or pg_catalog.starts_with(d.datname, $1) as is_ours
     ) o
     cross join lateral (
       select pg_catalog.left(pg_catalog.string_agg(m[2], ',') filter (where m[1] in ('host', 'hostaddr')), ${MAX_TEXT_LENGTH}) as hosts,
              pg_catalog.left(pg_catalog.string_agg(m[2], ',') filter (where m[1] = 'port'), ${MAX_TEXT_LENGTH}) as ports,
              pg_catalog.left(pg_catalog.string_agg(m[2], ',') filter (where m[1] = 'dbname'), ${MAX_TEXT_LENGTH}) as databases
       from pg_catalog.regexp_matches(s.subconninfo, $2, 'g') as m
       where not o.is_ours and s.subconninfo !~ '^postgres(ql)?://'
     ) p
     where case when o.is_ours
             then pg_catalog.strpos(' ' || s.subconninfo || ' ', ' user=''' || s.subname || ''' ') = 0
             else p.hosts is not null and p.databases is not null end
     order by o.is_ours desc, s.subname limit ${MAX_SUBSCRIPTIONS}`,
    [prefix, PAIR],
  );
  const subscriptions = rows.slice(0, MAX_SUBSCRIPTIONS).map(readRow);
  const found = subscriptions
    .filter((one) => one !== undefined)
    // What has our prefix was asked for because it signs in as something else; any other one must not lead to home's database.
    .filter((one) => one.name.startsWith(prefix) || one.database.startsWith(prefix) || leadsHome(home, one))
    .map(({ name, database }) => ({
      server,
      sentence: `The subscription ${shown(name)} in the database ${shown(database)} holds another credential than the gateway's. Drop it, and change the password that it held.`,
    }));
  // One server that answers nonsense does not keep the others from being looked at.
  if (subscriptions.includes(undefined))
    found.push({ server, sentence: "The server answered with something else than its subscriptions." });
  return found;
}

/** Undefined for what no server of PostgreSQL's answers. */
function readRow({ name, database, hosts, ports, databases }: Row): Subscription | undefined {
  if (typeof name !== "string" || typeof database !== "string") return undefined;
  // A connection string without a port means PostgreSQL's own.
  const lists = [hosts, ports === null ? DEFAULT_PORT : ports, databases].map((value) =>
    value === null ? [] : valuesOf(value),
  );
  const [hostList, portList, databaseList] = lists;
  if (hostList === undefined || portList === undefined || databaseList === undefined) return undefined;
  return { name, database, hosts: hostList, ports: portList, databases: databaseList };
}

/** What stands in a value of a connection string, which can be a list; without its quotes and backslashes. */
function valuesOf(value: unknown): string[] | undefined {
  if (typeof value !== "string") return undefined;
  return value
    .slice(0, MAX_TEXT_LENGTH)
    .replaceAll(/\\(.)|'/gs, "$1")
    .split(",");
}

function leadsHome({ homeAddress, homeDatabaseName }: Home, { hosts, ports, databases }: Subscription): boolean {
  const home = homeAddress.host.toLowerCase();
  return (
    hosts.some((host) => host.toLowerCase() === home) &&
    ports.includes(String(homeAddress.port)) &&
    databases.includes(homeDatabaseName)
  );
}

/** A name as it may stand in a sentence on somebody's screen. */
function shown(name: string): string {
  const cleaned = nameFrom(name.slice(0, MAX_TEXT_LENGTH)) ?? "with a name that cannot be seen";
  return [...cleaned].slice(0, MAX_SHOWN_LENGTH).join("");
}

/** Superusers may, and roles that were granted it. */
async function mayRead(look: Queryable<DatabaseKind>): Promise<boolean> {
  const [row] = await look.query<{ may: boolean }>(
    "credentials.right",
    "select has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'select') as may",
  );
  return row?.may === true;
}
