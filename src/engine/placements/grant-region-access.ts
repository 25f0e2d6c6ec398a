import type { Actor } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { findPlacement, type Isolation, type Placement } from "#engine/home/placements";
import { isTakeable } from "#engine/home/ready-databases";
import { latestOf, type SchemaVersion } from "#engine/migrations/schema-version";
import { requestReadyDatabases } from "#engine/placements/ready-databases";
import { getRegion, type Region } from "#engine/regions/regions";
import { holdRegion } from "#engine/regions/retired-regions";
import { takeSharedDatabase } from "#engine/home/shared-databases";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import { newId } from "#base/kernel/ids";
import { validRegionKey } from "#base/kernel/validation";
import type { Queryable } from "#base/postgres/database";
import { SQL_STATE, sqlState } from "#base/postgres/sql-state";
import { onPlacement, requestJob, requesterOf } from "#engine/jobs/job";
import type { Services } from "#engine/services";
import { isBeingMade, waitWhile } from "#engine/jobs/wait-while";
import { namePrefix } from "#engine/replication/names";

/**
 * Gives an organization a tenant database of its own in a region, or a place in the region's shared one. Returns when it is ACTIVE, or FAILED and not tried again by itself,
 * or after 5 s with the state reached; the same placement when called again. INVALID_INPUT on an unknown region, NOT_FOUND for an
 * organization that is not the actor's, CONFLICT when the placement exists with another isolation.
 */
export async function grantRegionAccess(
  services: Pick<Services, "home" | "installation" | "listener" | "ownership" | "tenantSchema">,
  actor: Actor,
  input: { organizationId: string; regionKey: string; isolation: Isolation },
): Promise<Placement> {
  await requireInOrganization(services.home, actor, input.organizationId, "manage-placements");
  const region = await requireRegion(services, input.regionKey);
  services.ownership.refuseLost(region.id);
  const existing = await findPlacement(services, input.organizationId, region.id);
  const id = existing?.id ?? (await requestPlacement(services, actor, input, region));
  const placement = await waitWhile(services, actor, { id }, (one) => isBeingMade(services, one));
  if (placement.isolation !== input.isolation)
    throw new TenantryError("CONFLICT", `The organization has ${placement.isolation} access to this region already.`);
  return placement;
}

async function requireRegion(services: Pick<Services, "home">, key: string): Promise<Region> {
  try {
    return await getRegion(services, validRegionKey("regionKey", key));
  } catch (error) {
    if (error instanceof TenantryError && error.code === "NOT_FOUND")
      throw invalidInput("regionKey", `There is no region ${key}.`);
    throw error;
  }
}

/** Writes the desired state and the job that makes it real, in one transaction. Returns the placement's id. */
async function requestPlacement(
  services: Pick<Services, "home" | "installation" | "tenantSchema">,
  actor: Actor,
  input: { organizationId: string; isolation: Isolation },
  region: Region,
): Promise<string> {
  const id = newId();
  try {
    await services.home.transaction(async (transaction) => {
      if (!(await holdRegion({ home: transaction }, region.id)))
        throw invalidInput("regionKey", `There is no region ${region.key}.`);
      const { isReady, wasMadeAhead } = await recordPlacement(transaction, {
        id,
        ...input,
        region,
        prefix: namePrefix(services.installation),
        version: latestOf(services.tenantSchema),
      });
      // The shared database is there, and the placement's members are on their way to it: nothing else is to be done.
      if (isReady) return;
      await requestJob(
        transaction,
        requesterOf(actor),
        onPlacement("provision-placement", { id, organizationId: input.organizationId, regionId: region.id }),
      );
      // Another one takes its place.
      if (wasMadeAhead) await requestReadyDatabases(transaction, region.id);
    });
    return id;
  } catch (error) {
    if (sqlState(error) === SQL_STATE.foreignKeyViolation)
      throw new TenantryError("CONFLICT", "The organization is being deleted: it gets no more access to regions.", {
        cause: error,
      });
    // Somebody else asked for the same at the same moment.
    const placement =
      sqlState(error) === SQL_STATE.uniqueViolation
        ? await findPlacement(services, input.organizationId, region.id)
        : undefined;
    if (placement === undefined) throw error;
    return placement.id;
  }
}

/** `isReady`: it can be used at once. `wasMadeAhead`: its database was. */
type Recorded = { isReady: boolean; wasMadeAhead: boolean };

/** `isReady`: nothing is to be made, and all members were taken in. */
async function recordPlacement(
  home: Queryable<"home">,
  placement: {
    id: string;
    organizationId: string;
    isolation: Isolation;
    region: Region;
    prefix: string;
    version: SchemaVersion;
  },
): Promise<Recorded> {
  const { id, organizationId, isolation, region, prefix, version } = placement;
  if (isolation === "SHARED") {
    const shared = await takeSharedDatabase({ home }, region.id, prefix);
    await home.query(
      "placements.join",
      `insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
       values ($1, $2, $3, $4, 'SHARED', 'PROVISIONING')`,
      [id, organizationId, region.id, shared.id],
    );
    if (!shared.isReady) return { isReady: false, wasMadeAhead: false };
    // Asked after the insert, whose trigger keeps anybody from joining until the end of the transaction.
    const active = await home.query(
      "placements.join_at_once",
      `update tenantry.placements set state = 'ACTIVE'
       where id = $1 and tenantry.is_projected(database_id, organization_id) returning id`,
      [id],
    );
    return { isReady: active.length > 0, wasMadeAhead: false };
  }
  const [row] = await home.query<{ wasMadeAhead: boolean }>(
    "placements.request",
    `with ready as materialized (
       select d.id from tenantry.tenant_databases d where d.region_id = $3 and ${isTakeable("$5", "$6")}
       order by d.id limit 1 for update skip locked
     ), taken as (
       update tenantry.tenant_databases d set ready_state = null from ready where d.id = ready.id returning d.id
     ), reserved as (
       select nextval(pg_get_serial_sequence('tenantry.tenant_databases', 'id'))::int as id
       where not exists (select from ready)
     ), recorded as (
       insert into tenantry.tenant_databases (id, region_id, isolation, name)
       overriding system value
       select id, $3, 'DEDICATED', $4 || id from reserved returning id
     )
     insert into tenantry.placements (id, organization_id, region_id, database_id, isolation, state)
     select $1, $2, $3, id, 'DEDICATED', 'PROVISIONING' from (select id from taken union all select id from recorded) database
     returning exists (select from ready) as "wasMadeAhead"`,
    [id, organizationId, region.id, prefix, version.engine, version.app],
  );
  return { isReady: false, wasMadeAhead: row?.wasMadeAhead === true };
}
