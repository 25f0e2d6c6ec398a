/**
 * Adoption: a person says that this home is the one that owns its regions from now on. For a home that was restored from a
 * dump or went through pg_upgrade; never for a copy beside the home that it is a copy of.
 */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { notFound } from "#base/kernel/errors";
import { redactedMessage } from "#base/kernel/redaction";
import type { Database, DatabaseKind } from "#base/postgres/database";
import { skipNumbers } from "#engine/home/notice-home-history";
import type { HomeIdentity, Standing } from "#engine/regions/ownership";
import { type AdministeredServer, ensureApiRoleAnew } from "#engine/regions/api-role";
import { type Marks, readMarks, replaceMarks } from "#engine/regions/mark";
import { listRegionsToTheLast, REGION_CHANNEL } from "#engine/regions/regions";
import { regionServer } from "#engine/regions/region-address";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

/** A backup can be older than a standby is behind: more placements than anybody makes between two backups. */
const SKIPPED_SINCE_BACKUP = 50_000;

/** One server as it was found. */
export type ServerToAdopt = {
  /** A region's key, or `home`. */
  server: string;
  standing: Standing | "AWAY";
  /** The home that owns it: where that is, as far as its mark can be read, and since when. Null: nobody does. */
  owner: { where: string | null; since: string } | null;
  databases: number;
  /** Why nothing is known of it; null: it was read. */
  problem: string | null;
};

type Found = ServerToAdopt & { regionId: string | null; at: AdministeredServer; marks: Marks | undefined };

/** What adopting would do: hand it to {@link adopt}, which does no more than it says. */
export type Adoption = { home: HomeIdentity; servers: readonly Found[] };

/** Looks at home's server and the regions, or at some of these. Changes nothing. NOT_FOUND for a region that there is not. */
export async function planAdoption(services: Services, actor: Actor, keys: readonly string[] = []): Promise<Adoption> {
  authorizeOperator(actor);
  // One that is being retired too: what is left on its server goes only when this home owns it.
  const regions = await listRegionsToTheLast(services);
  if (keys.some((key) => !regions.some((region) => region.key === key))) throw notFound("Region");
  const home = await services.ownership.identity();
  const chosen = keys.length === 0 ? regions : regions.filter(({ key }) => keys.includes(key));
  const [own, ...others] = await Promise.all([
    look(services, home, "home", null, homeServer(services)),
    ...chosen.map(async ({ id, key }) => {
      const { address, systemIdentifier } = await regionServer(services, id);
      const database = MAINTENANCE_DATABASE;
      const server = services.pools.open("server", address, database);
      return look(services, home, key, id, { server, address, systemIdentifier, database });
    }),
  ]);
  // Home and a region on one server have one mark.
  const isRegion = others.some(({ marks }) => marks?.systemIdentifier === own.marks?.systemIdentifier);
  // Who names regions means these, and nothing else.
  return { home, servers: isRegion || keys.length > 0 ? others : [own, ...others] };
}

/** Whether there is something to adopt. */
export function isDue({ standing }: Pick<ServerToAdopt, "standing">): boolean {
  return standing === "OTHER";
}

/**
 * Marks what the plan shows as this home's: each server as a whole, with all its tenant databases, or not at all. Ends what
 * the home before streams from there. Returns a sentence for each that was not adopted; run again it goes on. A server whose
 * mark has changed since the plan is left alone: of two homes that adopt at once one gets it.
 */
export async function adopt(
  services: Pick<Services, "apiRole" | "home" | "installation" | "ownership" | "pools">,
  actor: Actor,
  { home, servers }: Adoption,
): Promise<string[]> {
  authorizeOperator(actor);
  const failures: string[] = [];
  // The home before may have given numbers that this one, an older copy, knows nothing of.
  if (servers.some(isDue)) await skipNumbers(services.home, SKIPPED_SINCE_BACKUP);
  for (const { server, standing, regionId, at, marks, problem } of servers) {
    if (standing === "AWAY") failures.push(`${server}: ${problem}`);
    try {
      // An adoption before this one may have been cut off behind the mark.
      if (standing === "OURS" && regionId !== null) await announce(services, regionId);
      if (standing !== "OTHER" || marks === undefined) continue;
      if (!marks.hasRole) await ensureApiRoleAnew(services.pools, services.apiRole, at);
      // Before the mark: what ends in between is done again, and is nothing to a home that does not get the region.
      if (regionId !== null) await doubtLinks(services, regionId);
      await replaceMarks(at.server, services.installation, services.ownership.markOf(home, regionId), marks.text);
      await endStreams(at.server, services.installation);
      if (regionId !== null) await announce(services, regionId);
    } catch (error) {
      failures.push(`${server}: ${redactedMessage(error)}`);
    }
  }
  return failures;
}

function homeServer({
  home,
  homeAddress,
  homeSystemIdentifier,
  homeDatabaseName,
}: Pick<Services, "home" | "homeAddress" | "homeDatabaseName" | "homeSystemIdentifier">): AdministeredServer {
  return { server: home, address: homeAddress, systemIdentifier: homeSystemIdentifier, database: homeDatabaseName };
}

async function look(
  { ownership, installation }: Pick<Services, "installation" | "ownership">,
  home: HomeIdentity,
  server: string,
  regionId: string | null,
  at: AdministeredServer,
): Promise<Found> {
  const found = { server, regionId, at };
  try {
    const marks = await readMarks(at.server, installation, home.owner);
    const { mark, databases } = marks;
    const owner = mark === undefined ? null : { where: ownership.whereOf(mark) ?? null, since: mark.since };
    const standing = ownership.standingOf(marks, home);
    return { ...found, regionId: regionId ?? mark?.regionId ?? null, standing, owner, databases, marks, problem: null };
  } catch (error) {
    const problem = redactedMessage(error);
    return { ...found, standing: "AWAY", owner: null, databases: 0, marks: undefined, problem };
  }
}

/** The gateway of the home before would go on taking what waits in the slots. */
async function endStreams(server: Database<DatabaseKind>, installation: string): Promise<void> {
  await server.query(
    "adopt.end_streams",
    `select pg_terminate_backend(active_pid) from pg_catalog.pg_replication_slots
     where starts_with(slot_name, $1) and active_pid is not null`,
    [`tenantry_${installation}_`],
  );
}

/**
 * What this home remembers of the links is of the home before, and may be older than they are: they are told anew where the
 * gateway is, and seeded anew.
 */
async function doubtLinks({ home }: Pick<Services, "home">, regionId: string): Promise<void> {
  await home.query(
    "adopt.doubt_links",
    `update tenantry.links set told = null, home_history = null, region_history = null
     where database_id in (select id from tenantry.tenant_databases where region_id = $1)`,
    [regionId],
  );
}

/** Carriers begin anew, and what was refused is asked again. */
async function announce({ home }: Pick<Services, "home">, regionId: string): Promise<void> {
  await home.query("adopt.announce", "select pg_notify($1, $2)", [REGION_CHANNEL, regionId]);
}
