/** Batches the lookups of one request: a list of n rows costs one statement per kind and not n. */
import DataLoader from "dataloader";
import { type Actor, OPERATOR } from "#engine/auth/actor";
import { findActorRoles } from "#engine/auth/membership";
import { type ApiKey, findApiKeys } from "#engine/auth/api-keys";
import type { Role } from "#engine/auth/roles";
import { countInvitations, findInvitations, type Invitation, listInvitations } from "#engine/people/invitations";
import {
  countMembers,
  findMemberships,
  listMembers,
  type MemberFilter,
  type Membership,
  membershipId,
} from "#engine/home/memberships";
import {
  findOrganizations,
  listOrganizationsOf,
  type Organization,
  type OrganizationFacts,
  readOrganizationFacts,
} from "#engine/home/organizations";
import {
  findPlacements,
  listPlacementsIn,
  listPlacementsInDatabases,
  listPlacementsOf,
  type Placement,
} from "#engine/home/placements";
import { findLinks, linkKey, type ListedLink } from "#engine/links/list-links";
import type { LinkReading, ServerReading } from "#engine/readings/reading";
import { findRegions, findRegionsByKey, findRegionsOfDatabases, type Region } from "#engine/regions/regions";
import { findUsers, type User } from "#engine/home/users";
import { notFound } from "#base/kernel/errors";
import { type Page, toPage } from "#base/kernel/page";
import { findJobs, type Job, listJobSteps, type JobStep } from "#engine/jobs/list-jobs";
import { readSizesInTime, sizeKey } from "#engine/placements/database-sizes";
import { type ReplicationStatus, readReplicationStatus } from "#engine/links/replication-status";
import type { Services } from "#engine/services";
import { type Lag, readLag } from "#engine/links/visible-writes";
import { formOf, inGroups, type PageKey } from "#api/graphql/loading-in-groups";

/** Pages of lists, by the id of what each belongs to and which page it is. */
export type PageLoader<Row, Filter = undefined> = DataLoader<PageKey<Filter>, Page<Row>, string>;

/** In a shared database there may be hundreds: they stand in the list of placements. */
export const MAX_PLACEMENTS_OF_DATABASE = 20;
/** How many rows a list has, by the id of what it belongs to. */
type CountKey<Filter> = { readonly id: string; readonly filter?: Filter | undefined };
type CountLoader<Filter = undefined> = DataLoader<CountKey<Filter>, number | null, string>;

export type Loaders = {
  /** The caller's role in organizations, for what is checked before a resolver; null: none. The operator has none anywhere. */
  roles: DataLoader<string, Role | null>;
  users: DataLoader<string, User | null>;
  organizations: DataLoader<string, Organization | null>;
  /** By the ids that their objects have. */
  memberships: DataLoader<string, Membership | null>;
  organizationsOf: PageLoader<Organization>;
  membersOf: PageLoader<Membership, MemberFilter>;
  invitationsOf: PageLoader<Invitation>;
  invitations: DataLoader<string, Invitation | null>;
  apiKeys: DataLoader<string, ApiKey | null>;
  jobs: DataLoader<string, Job | null>;
  /** How many there are; null: too many to be counted. */
  memberCounts: CountLoader<MemberFilter>;
  invitationCounts: CountLoader;
  regions: DataLoader<string, Region | null>;
  regionsByKey: DataLoader<string, Region | null>;
  regionsOfDatabases: DataLoader<number, Region | null>;
  placements: DataLoader<string, Placement | null>;
  placementsOf: DataLoader<string, Placement[]>;
  placementsIn: PageLoader<Placement>;
  /** How replication of placements is doing now. */
  replicationOf: DataLoader<Placement, ReplicationStatus, string>;
  organizationFacts: DataLoader<string, OrganizationFacts | null>;
  /** Bytes of the placement's tenant database; null: others share it, it is not made, or its server does not answer in time. */
  sizes: DataLoader<Placement, number | null, string>;
  /** The links of tenant databases that the caller may see. */
  linksOf: DataLoader<number, ListedLink[]>;
  /** What servers said of a link a moment ago; null: it is newer. */
  liveLinks: DataLoader<ListedLink, LinkReading | null, string>;
  /** What a region's server said a moment ago, for the operator; null: the region is newer, or being retired. */
  servers: DataLoader<string, ServerReading | null>;
  /** Placements in tenant databases that the caller may see, oldest first, {@link MAX_PLACEMENTS_OF_DATABASE} at most. */
  placementsInDatabases: DataLoader<number, Placement[]>;
  /** Steps of jobs that the request has listed. */
  jobSteps: DataLoader<string, JobStep[]>;
  /** What is known not to have arrived in the catalog. */
  lag: () => Promise<Lag[]>;
  /** Those of a module. */
  of: <Own extends object>(definition: LoaderDefinition<Own>) => Own;
};

/** How the loaders of a module are made, once for each request that uses them. */
export type LoaderDefinition<Own extends object> = (services: Services, actor: Actor) => Own;

/** Declares loaders of a module. A resolver has them of its context: `context.loaders.of(definition)`. */
export function defineLoaders<Own extends object>(make: LoaderDefinition<Own>): LoaderDefinition<Own> {
  return make;
}

/** Made when one of them is first used: what is answered by one statement needs none. */
export function createLoaders(services: Services, actor: Actor): Loaders {
  let made: Loaders | undefined;
  return new Proxy({} as Loaders, {
    get: (_, name: keyof Loaders) => {
      made ??= makeLoaders(services, actor);
      return made[name];
    },
  });
}

function makeLoaders(services: Services, actor: Actor): Loaders {
  let lag: Promise<Lag[]> | undefined;
  const made = new Map<LoaderDefinition<object>, object>();
  return {
    roles: new DataLoader(async (ids) => {
      const rows = actor.kind === "operator" ? [] : await findActorRoles(services.home, ids, actor);
      const found = new Map(rows.map(({ organizationId, role }) => [organizationId, role]));
      return ids.map((id) => found.get(id) ?? null);
    }),
    users: byKey(idOf, (ids) => findUsers(services, actor, ids)),
    organizations: byKey(idOf, (ids) => findOrganizations(services, actor, ids)),
    memberships: byKey(membershipId, (ids) => findMemberships(services, actor, ids)),
    organizationsOf: byPage((ids, page) => listOrganizationsOf(services, ids, page)),
    membersOf: byPage((ids, page, filter) => listMembers(services, ids, page, filter)),
    invitationsOf: byPage((ids, page) => listInvitations(services, ids, page)),
    invitations: byKey(idOf, (ids) => findInvitations(services, actor, ids)),
    apiKeys: byKey(idOf, (ids) => findApiKeys(services, actor, ids)),
    jobs: byKey(idOf, (ids) => findJobs(services, actor, ids)),
    memberCounts: counts((ids, filter) => countMembers(services, ids, filter)),
    invitationCounts: counts((ids) => countInvitations(services, ids)),
    ...createRegionLoaders(services, actor),
    placements: byKey(idOf, (ids) => findPlacements(services, actor, ids)),
    placementsOf: listsBy(
      ({ organizationId }) => organizationId,
      (ids) => listPlacementsOf(services, ids),
    ),
    placementsIn: byPage((ids, page) => listPlacementsIn(services, actor, ids, page)),
    replicationOf: new DataLoader<Placement, ReplicationStatus, string>(
      (placements) =>
        inGroups(
          placements,
          ({ regionId }) => regionId,
          async (group) => {
            const found = await readReplicationStatus(services, group[0].regionId, group);
            return ({ id }) => found.get(id) ?? notFound("Placement");
          },
        ),
      { cacheKeyFn: idOf },
    ),
    ...createLinkLoaders(services, actor),
    organizationFacts: byKey(
      ({ organizationId }) => organizationId,
      (ids) => readOrganizationFacts(services, ids),
    ),
    sizes: new DataLoader<Placement, number | null, string>(
      async (placements) => {
        const found = await readSizesInTime(services, placements.filter(isOfItsOwn));
        return placements.map((placement) => found.get(sizeKey(placement)) ?? null);
      },
      { cacheKeyFn: idOf },
    ),
    jobSteps: listsBy(
      ({ jobId }) => jobId,
      (ids) => listJobSteps(services, ids),
    ),
    lag: () => (lag ??= readLag(services, actor)),
    of: <Own extends object>(definition: LoaderDefinition<Own>): Own => {
      const found = made.get(definition) ?? definition(services, actor);
      made.set(definition, found);
      return found as Own;
    },
  };
}

function createRegionLoaders(
  services: Services,
  actor: Actor,
): Pick<Loaders, "regions" | "regionsByKey" | "regionsOfDatabases" | "servers"> {
  return {
    regions: byKey(idOf, (ids) => findRegions(services, ids)),
    regionsByKey: byKey(
      ({ key }) => key,
      (keys) => findRegionsByKey(services, keys),
    ),
    regionsOfDatabases: byKey(
      ({ databaseId }: { databaseId: number }) => databaseId,
      (ids) => findRegionsOfDatabases(services, ids),
    ),
    servers: byKey(
      ({ regionId }) => regionId ?? "home",
      async () => [...(await services.readings.servers(actor))],
    ),
  };
}

function createLinkLoaders(
  services: Services,
  actor: Actor,
): Pick<Loaders, "linksOf" | "liveLinks" | "placementsInDatabases"> {
  return {
    linksOf: listsBy(
      ({ databaseId }) => databaseId,
      (ids) => findLinks(services, ids),
    ),
    liveLinks: new DataLoader<ListedLink, LinkReading | null, string>(
      async (wanted) => {
        // The caller may see the links that were listed.
        const { links } = await services.readings.links(OPERATOR);
        const found = new Map(links.map((link) => [linkKey(link), link]));
        return wanted.map((link) => found.get(linkKey(link)) ?? null);
      },
      { cacheKeyFn: linkKey },
    ),
    placementsInDatabases: listsBy(
      ({ databaseId }) => databaseId,
      (ids) => listPlacementsInDatabases(services, actor, ids, MAX_PLACEMENTS_OF_DATABASE),
    ),
  };
}

/** Throws NOT_FOUND: for what a loader has not found, where that is not null. */
export function missing(what: string): never {
  throw notFound(what);
}

function isOfItsOwn({ isolation, schemaVersion }: Placement): boolean {
  return isolation === "DEDICATED" && schemaVersion !== null;
}

function idOf({ id }: { id: string }): string {
  return id;
}

function byKey<Key, Row>(
  keyOf: (row: Row) => Key,
  find: (keys: readonly Key[]) => Promise<Row[]>,
): DataLoader<Key, Row | null> {
  return new DataLoader(async (keys) => {
    const found = new Map((await find(keys)).map((row) => [keyOf(row), row]));
    return keys.map((key) => found.get(key) ?? null);
  });
}

function listsBy<Row, Key = string>(
  keyOf: (row: Row) => Key,
  find: (keys: readonly Key[]) => Promise<Row[]>,
): DataLoader<Key, Row[]> {
  return new DataLoader(async (keys) => {
    const found = Map.groupBy(await find(keys), keyOf);
    return keys.map((key) => found.get(key) ?? []);
  });
}

function counts<Filter = undefined>(
  count: (ids: readonly string[], filter: Filter | undefined) => Promise<ReadonlyMap<string, number | null>>,
): CountLoader<Filter> {
  type Key = CountKey<Filter>;
  const form = ({ filter }: Key) => JSON.stringify(filter ?? null);
  const read = async (group: readonly [Key, ...Key[]]) => {
    const found = await count(group.map(idOf), group[0].filter);
    return ({ id }: Key) => found.get(id) ?? (found.has(id) ? null : 0);
  };
  return new DataLoader((keys) => inGroups(keys, form, read), { cacheKeyFn: (key) => `${key.id} ${form(key)}` });
}

/** Loads pages of lists, by the id of what each belongs to: one statement for all that ask for the same page. */
export function byPage<Row, Filter = undefined>(
  list: (ids: readonly string[], page: PageKey["page"], filter: Filter | undefined) => Promise<Map<string, Page<Row>>>,
): PageLoader<Row, Filter> {
  type Key = PageKey<Filter>;
  const read = async (group: readonly [Key, ...Key[]]) => {
    const found = await list(group.map(idOf), group[0].page, group[0].filter);
    return ({ id }: Key) => found.get(id) ?? toPage([], group[0].page);
  };
  return new DataLoader((keys) => inGroups(keys, formOf, read), { cacheKeyFn: (key) => `${key.id} ${formOf(key)}` });
}
