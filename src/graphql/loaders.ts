/** Batches the lookups of one request, so that a list of n rows costs one statement per kind and not n. */
import DataLoader from "dataloader";
import type { Actor } from "#auth/actor";
import { findActorRoles } from "#auth/membership";
import type { Role } from "#auth/roles";
import { findOrganizations, type Organization } from "#directory/organizations";
import { listPlacementsOf, type Placement } from "#directory/placements";
import { findRegions, findRegionsOfDatabases, probeRegion, type Region, type RegionProbe } from "#directory/regions";
import { findUsers, type User } from "#directory/users";
import { type Author, findAuthors } from "#workspace/comments";
import { type LocatedResource, locateResource } from "#workspace/resources";
import { listOperationSteps, type OperationStep } from "#operations/list-operations";
import type { Services } from "#operations/services";

export type Loaders = {
  /** The caller's role in organizations, for what is checked before a resolver; null: none. The operator has none anywhere. */
  roles: DataLoader<string, Role | null>;
  users: DataLoader<string, User | null>;
  organizations: DataLoader<string, Organization | null>;
  regions: DataLoader<string, Region | null>;
  regionsOfDatabases: DataLoader<number, Region | null>;
  /** What a region's server answers now; null when it cannot be reached. */
  probes: DataLoader<string, RegionProbe | null>;
  placementsOf: DataLoader<string, Placement[]>;
  /** Steps of operations that the request has listed. */
  operationSteps: DataLoader<string, OperationStep[]>;
  /** Resources with their route, by id; an error per id. */
  located: DataLoader<string, LocatedResource>;
  /** Authors as a resource's own database knows them. */
  authors: (located: LocatedResource) => DataLoader<string, Author | null>;
};

export function createLoaders(services: Services, actor: Actor): Loaders {
  const authors = new Map<string, DataLoader<string, Author | null>>();
  return {
    roles: new DataLoader(async (ids) => {
      const rows = actor.kind === "operator" ? [] : await findActorRoles(services.home, ids, actor);
      const found = new Map(rows.map(({ organizationId, role }) => [organizationId, role]));
      return ids.map((id) => found.get(id) ?? null);
    }),
    users: byId((ids) => findUsers(services, actor, ids)),
    organizations: byId((ids) => findOrganizations(services, actor, ids)),
    regions: byId((ids) => findRegions(services, ids)),
    regionsOfDatabases: new DataLoader(async (ids) => {
      const rows = await findRegionsOfDatabases(services, ids);
      const found = new Map(rows.map((row) => [row.databaseId, row]));
      return ids.map((id) => found.get(id) ?? null);
    }),
    probes: new DataLoader((ids) =>
      Promise.all(ids.map((id) => probeRegion(services, id).catch((error: unknown) => asError(error)))),
    ),
    placementsOf: new DataLoader(async (ids) => {
      const found = Map.groupBy(await listPlacementsOf(services, ids), (placement) => placement.organizationId);
      return ids.map((id) => found.get(id) ?? []);
    }),
    operationSteps: new DataLoader(async (ids) => {
      const found = Map.groupBy(await listOperationSteps(services, ids), (step) => step.operationId);
      return ids.map((id) => found.get(id) ?? []);
    }),
    located: new DataLoader((ids) =>
      Promise.all(ids.map((id) => locateResource(services, actor, id).catch((error: unknown) => asError(error)))),
    ),
    authors: (located) => {
      // One loader per database and organization: the same person is one row there.
      const key = `${located.resource.databaseId}/${located.resource.organizationId ?? ""}`;
      const loader = authors.get(key) ?? byId((ids) => findAuthors(actor, located, ids));
      authors.set(key, loader);
      return loader;
    },
  };
}

function byId<Row extends { id: string }>(
  find: (ids: readonly string[]) => Promise<Row[]>,
): DataLoader<string, Row | null> {
  return new DataLoader(async (ids) => {
    const found = new Map((await find(ids)).map((row) => [row.id, row]));
    return ids.map((id) => found.get(id) ?? null);
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error("lookup failed", { cause: error });
}
