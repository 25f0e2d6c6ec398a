import { VERSION_COMING, VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { type Actor, viewerId } from "#engine/auth/actor";
import { seesOrganization } from "#engine/auth/visibility";
import { requireInOrganization } from "#engine/auth/membership";
import { notFound } from "#base/kernel/errors";
import { isBetween } from "#base/kernel/page-range";
import { idsOf, type Page, type PageRequest, readingOrder, toPage, toPages } from "#base/kernel/page";
import type { HomeDatabase, Queryable } from "#base/postgres/database";

/** Channel on which home announces the id of a placement that changed. */
export const PLACEMENT_CHANNEL = "tenantry_placement";

export const ISOLATIONS = ["DEDICATED", "SHARED"] as const;
export type Isolation = (typeof ISOLATIONS)[number];
export const PLACEMENT_STATES = ["PROVISIONING", "ACTIVE", "MOVING", "SUSPENDED", "REVOKING", "FAILED"] as const;
export type PlacementState = (typeof PLACEMENT_STATES)[number];

/** An organization's access to a region, and the tenant database it uses there. */
export type Placement = {
  id: string;
  /** Stands in the ids of the placement's rows. */
  number: number;
  organizationId: string;
  regionId: string;
  databaseId: number;
  database: string;
  isolation: Isolation;
  state: PlacementState;
  schemaVersion: SchemaVersion | null;
  /** Set while a migration changes which columns flow. */
  migratingTo: SchemaVersion | null;
  failure: string | null;
  /** While SUSPENDED: when its database is dropped. */
  dropAfter: Date | null;
  createdAt: Date;
  /** When its state was last another one. */
  updatedAt: Date;
};

const SELECT = `
  select p.id, p.number, p.organization_id as "organizationId", p.region_id as "regionId",
         p.database_id as "databaseId", d.name as database, p.isolation, p.state,
         ${VERSION_OF_DATABASE} as "schemaVersion", ${VERSION_COMING} as "migratingTo", p.failure, p.drop_after as "dropAfter",
         p.created_at as "createdAt", p.updated_at as "updatedAt"
  from tenantry.placements p join tenantry.tenant_databases d on d.id = p.database_id`;

/** The placements with these ids that the actor may see, in no particular order. */
export function findPlacements(
  { home }: { home: HomeDatabase },
  actor: Actor,
  ids: readonly string[],
): Promise<Placement[]> {
  return home.query<Placement>(
    "placements.get",
    `${SELECT} where p.id = any($1::uuid[]) and ${seesOrganization("p.organization_id", "$2")}`,
    [ids, viewerId(actor)],
  );
}

/** One placement. NOT_FOUND when there is none that the actor may see. */
export async function getPlacement(context: { home: HomeDatabase }, actor: Actor, id: string): Promise<Placement> {
  const [placement] = await findPlacements(context, actor, [id]);
  if (placement === undefined) throw notFound("Placement");
  return placement;
}

/** The same for who may manage it: FORBIDDEN for members who may not. */
export async function getManagedPlacement(
  context: { home: HomeDatabase },
  actor: Actor,
  id: string,
): Promise<Placement> {
  const placement = await getPlacement(context, actor, id);
  await requireInOrganization(context.home, actor, placement.organizationId, "manage-placements");
  return placement;
}

/** The placement, whoever asks; undefined when it is gone. For jobs. */
export async function findPlacementById(
  { home }: { home: Queryable<"home"> },
  id: string,
): Promise<Placement | undefined> {
  const [placement] = await home.query<Placement>("placements.find_by_id", `${SELECT} where p.id = $1`, [id]);
  return placement;
}

/** The placement of an organization in a region, or undefined. */
export async function findPlacement(
  { home }: { home: HomeDatabase },
  organizationId: string,
  regionId: string,
): Promise<Placement | undefined> {
  const [placement] = await home.query<Placement>(
    "placements.find",
    `${SELECT} where p.organization_id = $1 and p.region_id = $2`,
    [organizationId, regionId],
  );
  return placement;
}

/** The placements of organizations that the caller has checked the actor may see, oldest first. */
export function listPlacementsOf(
  { home }: { home: Queryable<"home"> },
  organizationIds: readonly string[],
): Promise<Placement[]> {
  return home.query<Placement>(
    "placements.of_organizations",
    `${SELECT} where p.organization_id = any($1::uuid[]) order by p.id`,
    [organizationIds],
  );
}

/** What is null does not narrow. `schemaVersion`: how many migrations its database has. */
export type PlacementsFilter = {
  regionKey: string | null;
  state: PlacementState | null;
  schemaVersion: number | null;
  organizationId: string | null;
};

/** A page of the placements that the actor may see, oldest first. */
export async function listVisiblePlacements(
  { home }: { home: HomeDatabase },
  actor: Actor,
  { regionKey, state, schemaVersion, organizationId }: PlacementsFilter,
  page: PageRequest,
): Promise<Page<Placement>> {
  const [low, high] = idsOf(page);
  const rows = await home.query<Placement>(
    "placements.list",
    `${SELECT}
     where ${isBetween("p.id", page, ["$1", "$8"])} and ${seesOrganization("p.organization_id", "$3")}
       and ($4::text is null or p.region_id = (select r.id from tenantry.regions r where r.key = $4))
       and ($5::text is null or p.state = $5) and ($6::int is null or d.engine_version + d.app_version = $6)
       and ($7::uuid is null or p.organization_id = $7)
     order by p.id ${readingOrder(page)} limit $2`,
    [low, page.first + 1, viewerId(actor), regionKey, state, schemaVersion, organizationId, high],
  );
  return toPage(rows, page);
}

/** The same page of each region's placements that the actor may see. */
export async function listPlacementsIn(
  { home }: { home: HomeDatabase },
  actor: Actor,
  regionIds: readonly string[],
  page: PageRequest,
): Promise<Map<string, Page<Placement>>> {
  const order = readingOrder(page);
  const rows = await home.query<Placement>(
    "placements.in_regions",
    `select p.* from unnest($1::uuid[]) as wanted (region_id)
     cross join lateral (
       ${SELECT} where p.region_id = wanted.region_id and ${isBetween("p.id", page, ["$2", "$3"])}
         and ${seesOrganization("p.organization_id", "$5")}
       order by p.id ${order} limit $4) p
     order by p.id ${order}`,
    [regionIds, ...idsOf(page), page.first + 1, viewerId(actor)],
  );
  return toPages(regionIds, rows, ({ regionId }) => regionId, page);
}

/**
 * From which states each state can be reached. Everything that changes a state goes through this table; one that a person
 * has left meanwhile (revoked while it was being made) is not taken back.
 */
const REACHED_FROM: Record<PlacementState, readonly PlacementState[]> = {
  PROVISIONING: ["FAILED"],
  ACTIVE: ["PROVISIONING", "FAILED", "MOVING", "SUSPENDED"],
  FAILED: ["PROVISIONING", "FAILED"],
  MOVING: ["ACTIVE"],
  SUSPENDED: ["ACTIVE"],
  REVOKING: ["PROVISIONING", "FAILED", "ACTIVE", "SUSPENDED"],
};

/**
 * Moves a placement to a state; `failure` is one sentence without secrets, or null. False when it is gone or in a state
 * that does not lead there.
 */
export async function setPlacementState(
  { home }: { home: Queryable<"home"> },
  id: string,
  state: PlacementState,
  failure: string | null = null,
): Promise<boolean> {
  const rows = await home.query(
    "placements.set_state",
    `update tenantry.placements set state = $2, failure = $3, updated_at = now(),
       drop_after = case when $2 in ('SUSPENDED', 'REVOKING') then drop_after end
     where id = $1 and state = any($4) and (state, failure) is distinct from ($2, $3) returning id`,
    [id, state, failure, REACHED_FROM[state]],
  );
  return rows.length > 0;
}

/**
 * Begins to take a placement away, from where it cannot be undone: one whose grace is over, or one that was asked to go at
 * once. False when it was resumed meanwhile, or is gone.
 */
export async function beginRevoking({ home }: { home: HomeDatabase }, id: string): Promise<boolean> {
  const rows = await home.query(
    "placements.begin_revoking",
    `update tenantry.placements set state = 'REVOKING', updated_at = now()
     where id = $1 and (state = 'REVOKING' or (state = 'SUSPENDED' and drop_after <= now())) returning id`,
    [id],
  );
  return rows.length > 0;
}

/** Suspends an ACTIVE placement until it is dropped at `dropAfter`; false when it is in another state. */
export async function suspendPlacement(
  { home }: { home: Queryable<"home"> },
  id: string,
  dropAfter: Date,
): Promise<boolean> {
  if (!(await setPlacementState({ home }, id, "SUSPENDED"))) return false;
  await home.query("placements.set_drop_after", "update tenantry.placements set drop_after = $2 where id = $1", [
    id,
    dropAfter,
  ]);
  return true;
}

/** The placements in these tenant databases. */
export function placementsOfDatabases(
  { home }: { home: HomeDatabase },
  databaseIds: readonly number[],
): Promise<Placement[]> {
  return home.query<Placement>(
    "placements.of_databases",
    `${SELECT} where p.database_id = any($1::int[]) order by p.id`,
    [databaseIds],
  );
}

/** Placements of these tenant databases that the actor may see, `limit` of each at most, oldest first. */
export function listPlacementsInDatabases(
  { home }: { home: HomeDatabase },
  actor: Actor,
  databaseIds: readonly number[],
  limit: number,
): Promise<Placement[]> {
  return home.query<Placement>(
    "placements.in_databases",
    `select p.* from unnest($1::int[]) as wanted (database_id)
     cross join lateral (
       ${SELECT} where p.database_id = wanted.database_id and ${seesOrganization("p.organization_id", "$2")}
       order by p.id limit $3) p
     order by p.id`,
    [databaseIds, viewerId(actor), limit],
  );
}
