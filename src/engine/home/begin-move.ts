/** Where a move begins at home, and where somebody calls it off. */
import { invalidInput, notFound, TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import { type Isolation, type PlacementState, setPlacementState } from "#engine/home/placements";
import { takeSharedDatabase } from "#engine/home/shared-databases";

export type MoveRequest = {
  placementId: string;
  toRegionId: string;
  isolation: Isolation;
  keepSourceSeconds: number;
  goesThroughOthers: boolean;
};

type Moved = {
  organizationId: string;
  regionId: string;
  isolation: Isolation;
  state: PlacementState;
  databaseId: number;
  isDeleted: boolean;
  isMoving: boolean;
  isMigrating: boolean;
};

/** Members who are in the target's directory at once; the job brings the others (engine/placements/project-members.ts). */
const FIRST_MEMBERS = 1000;

/**
 * Records that a placement begins to move: the database that it goes to is recorded or, where placements share it, taken, the
 * organization and its first members are in its directory, and the placement is MOVING. Run in a transaction. `namePrefix`
 * and its id make the database's name. NOT_FOUND, INVALID_INPUT when it is there already, CONFLICT for what is in the way.
 * Whether another installation has taken the region's server, the caller has asked. Returns the number of the database.
 */
export async function beginMove(
  { home, namePrefix }: { home: Queryable<"home">; namePrefix: string },
  request: MoveRequest,
): Promise<number> {
  const { placementId, toRegionId, isolation, keepSourceSeconds, goesThroughOthers } = request;
  const moved = await lockPlacement(home, placementId);
  refuseUnfit(moved, request);
  const key = await holdTarget(home, toRegionId);
  await refuseTaken(home, moved.organizationId, placementId, { id: toRegionId, key });
  const databaseId =
    isolation === "SHARED"
      ? (await takeSharedDatabase({ home }, toRegionId, namePrefix)).id
      : await recordDatabase(home, toRegionId, namePrefix);
  await refuseMigrating(home, databaseId, key);
  // Before the move is recorded: from then on the state says so.
  if (!(await setPlacementState({ home }, placementId, "MOVING")))
    throw new TenantryError("CONFLICT", "The placement changed a moment ago: look at it again before moving it.");
  await home.query(
    "moves.begin",
    `with moved as (
       insert into tenantry.moves
         (placement_id, from_database_id, to_database_id, other_database_id, keep_source_seconds, goes_through_others)
       values ($1, $2, $3, $3, $4, $5)
     )
     insert into tenantry.directory_organizations (database_id, organization_id, name, created_at)
     select $3, o.id, o.name, o.created_at from tenantry.organizations o where o.id = $6
     on conflict do nothing`,
    [placementId, moved.databaseId, databaseId, keepSourceSeconds, goesThroughOthers, moved.organizationId],
  );
  await home.query("moves.project_members", "select tenantry.project_members($1, $2, null, $3)", [
    databaseId,
    moved.organizationId,
    FIRST_MEMBERS,
  ]);
  return databaseId;
}

/** The organization first, as everybody does who projects it. */
async function lockPlacement(home: Queryable<"home">, placementId: string): Promise<Moved> {
  await home.query(
    "moves.lock_organization",
    `select from tenantry.organizations
     where id = (select organization_id from tenantry.placements where id = $1) for update`,
    [placementId],
  );
  const [moved] = await home.query<Moved>(
    "moves.lock_placement",
    `select p.organization_id as "organizationId", p.region_id as "regionId", p.isolation, p.state,
            p.database_id as "databaseId", o.deleting_at is not null as "isDeleted",
            exists (select from tenantry.moves m where m.placement_id = p.id) as "isMoving",
            d.migrating_to_engine is not null as "isMigrating"
     from tenantry.placements p join tenantry.organizations o on o.id = p.organization_id
     join tenantry.tenant_databases d on d.id = p.database_id
     where p.id = $1 for update of p, d`,
    [placementId],
  );
  if (moved === undefined) throw notFound("Placement");
  return moved;
}

function refuseUnfit(moved: Moved, { toRegionId, isolation }: MoveRequest): void {
  if (moved.isMoving)
    throw new TenantryError("CONFLICT", "The placement is being moved already: wait until that is over, or cancel it.");
  if (moved.isDeleted)
    throw new TenantryError("CONFLICT", "The organization is being deleted: its placements are not moved any more.");
  if (moved.state !== "ACTIVE")
    throw new TenantryError("CONFLICT", `Only an ACTIVE placement can be moved: this one is ${moved.state}.`);
  if (moved.regionId === toRegionId && moved.isolation === isolation)
    throw invalidInput(
      "regionKey",
      `The placement is ${isolation} in that region already: name another region or another isolation.`,
    );
  if (moved.isMigrating)
    throw new TenantryError("CONFLICT", "The placement's database is being migrated: try again when that is over.");
}

/** Keeps the region from being retired until the transaction ends. Returns its key. */
async function holdTarget(home: Queryable<"home">, regionId: string): Promise<string> {
  const [region] = await home.query<{ key: string; isRetired: boolean }>(
    "moves.hold_region",
    `select key, retired_at is not null as "isRetired" from tenantry.regions where id = $1 for share`,
    [regionId],
  );
  if (region === undefined) throw invalidInput("regionKey", "There is no such region.");
  if (region.isRetired)
    throw new TenantryError("CONFLICT", `The region ${region.key} is being retired: it takes no more placements.`);
  return region.key;
}

/** An organization has one placement in a region, and nothing else of its rows. */
async function refuseTaken(
  home: Queryable<"home">,
  organizationId: string,
  placementId: string,
  region: { id: string; key: string },
): Promise<void> {
  const [taken] = await home.query<{ isPlaced: boolean }>(
    "moves.taken",
    `select true as "isPlaced" from tenantry.placements where organization_id = $1 and region_id = $3 and id <> $2
     union all
     select false from tenantry.moves m join tenantry.placements p on p.id = m.placement_id
     join tenantry.tenant_databases d on d.id in (m.from_database_id, m.to_database_id)
     where p.organization_id = $1 and d.region_id = $3 limit 1`,
    [organizationId, placementId, region.id],
  );
  if (taken === undefined) return;
  throw new TenantryError(
    "CONFLICT",
    taken.isPlaced
      ? `The organization has a placement in the region ${region.key}: it can have one in a region.`
      : `Another placement of the organization is being moved from or to the region ${region.key}: wait until that is over.`,
  );
}

async function recordDatabase(home: Queryable<"home">, regionId: string, namePrefix: string): Promise<number> {
  const [database] = await home.query<{ id: number }>(
    "moves.record_database",
    `with reserved as (
       select nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as id
     )
     insert into tenantry.tenant_databases (id, region_id, isolation, name) overriding system value
     select id, $1, 'DEDICATED', $2 || id from reserved returning id`,
    [regionId, namePrefix],
  );
  if (database === undefined) throw new Error("the insert returned no row");
  return database.id;
}

async function refuseMigrating(home: Queryable<"home">, databaseId: number, key: string): Promise<void> {
  const migrating = await home.query(
    "moves.target_migrates",
    "select from tenantry.tenant_databases where id = $1 and migrating_to_engine is not null for share",
    [databaseId],
  );
  if (migrating.length > 0)
    throw new TenantryError(
      "CONFLICT",
      `The shared database of the region ${key} is being migrated: try again when that is over.`,
    );
}

/**
 * Notes that somebody called the move off: before the switch the placement stays where it is, afterwards it goes back. False when
 * there is no move, when that was noted before, or when nothing leads back any more.
 */
export async function cancelMove({ home }: { home: Queryable<"home"> }, placementId: string): Promise<boolean> {
  const cancelled = await home.query(
    "moves.cancel",
    `update tenantry.moves set cancelled_at = clock_timestamp()
     where placement_id = $1 and cancelled_at is null and step not in ('CLEANING', 'CANCELLING')
       and (switched_at is null or keep_source_seconds > 0) returning 1`,
    [placementId],
  );
  return cancelled.length > 0;
}
