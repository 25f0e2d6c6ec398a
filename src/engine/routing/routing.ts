/**
 * From an id to the database that holds the row. Ids carry their placement's number; where that placement lives
 * is read from home and kept until home says that it changed, or for a few seconds: home may be unable to say so.
 */
import { HeldWrites } from "#engine/routing/held-writes";
import { describeVersion, isBeyond, type SchemaVersion } from "#engine/migrations/schema-version";
import { TenantryError } from "#base/kernel/errors";
import { Hearsay } from "#base/kernel/hearsay";
import { HOME_NUMBER, placementNumberOf } from "#base/kernel/ids";
import type { SecretBox } from "#base/kernel/secret-box";
import { parsePoolUrl, parseServerUrl, type ServerAddress } from "#base/postgres/connection-url";
import type { HomeDatabase, ScopedDatabase, TenantDatabase } from "#base/postgres/database";
import type { Pools } from "#base/postgres/pools";
import type { Scope } from "#base/postgres/scope";

/** Home itself, with the default organization's rows. */
export type HomeRoute = { readonly kind: "home" };
export type TenantRoute = {
  readonly kind: "tenant";
  readonly placementId: string;
  readonly placementNumber: number;
  readonly organizationId: string;
  readonly regionId: string;
  readonly regionKey: string;
  readonly databaseId: number;
  readonly state: string;
  /** Why a program of this version must leave the database alone, in one sentence; undefined: it need not. */
  readonly versionObstacle: string | undefined;
  /** Throws or rejects where another home owns the region; undefined: go on at once. */
  readonly requireOwned: () => Promise<void> | undefined;
  /** The database with the organization's rows in it and no others, whatever a statement asks for. */
  readonly open: () => ScopedDatabase<"tenant">;
  /** The whole database, for listening to what it announces. */
  readonly openUnscoped: () => TenantDatabase;
};
export type Route = HomeRoute | TenantRoute;

/** The versions of tenant databases that a program serves, in each part from the oldest to the latest. */
export type ServedVersions = { readonly oldest: SchemaVersion; readonly latest: SchemaVersion };

type RouteRow = {
  placementId: string;
  number: number;
  organizationId: string;
  regionId: string;
  regionKey: string;
  sealedUrl: Buffer;
  poolUrl: string | null;
  systemIdentifier: string;
  databaseId: number;
  database: string;
  state: string;
  schemaVersion: SchemaVersion | null;
};

const COLUMNS = `
  p.id as "placementId", p.number, p.organization_id as "organizationId", p.region_id as "regionId", r.key as "regionKey",
  r.connection_url as "sealedUrl", r.pool_url as "poolUrl", r.system_identifier as "systemIdentifier", p.database_id as "databaseId", d.name as database, p.state,
  case when d.engine_version is not null
    then json_build_object('engine', d.engine_version, 'app', d.app_version) end as "schemaVersion"`;
const FROM = `
  from tenantry.placements p
  join tenantry.tenant_databases d on d.id = p.database_id
  join tenantry.regions r on r.id = p.region_id`;

/** A server's address with the API's own role there, by the server's identity. */
export type SignInAsApi = (address: ServerAddress, systemIdentifier: string) => ServerAddress;

/** Whether this home owns the region: throws or rejects where it does not; undefined: it is known to. */
export type RequireOwned = (regionId: string) => Promise<void> | undefined;

/**
 * Says to row-level security whose statement it is (engine/schema/tenant/0001_tenant_database.sql). `actor`: who is behind it, where
 * a team's program sends it.
 */
export function organizationScope(organizationId: string, placementNumber: number, actor?: string): Scope {
  const value = `${organizationId}/${placementNumber}${actor === undefined ? "" : `/${actor}`}`;
  return { setting: "tenantry.scope", setter: "tenantry.sets_scope", value };
}

/** In which a placement takes reads and writes. */
export const SERVED_STATES: ReadonlySet<string> = new Set(["ACTIVE", "MOVING"]);

/** Routes kept at most; a route that was pushed out is read again when it is next needed. */
const MAX_CACHED_ROUTES = 10_000;
/** A route is read again after this long, in milliseconds: by then a placement that was revoked is refused in any case. */
export const MAX_ROUTE_AGE_MS = 10_000;

export class Router {
  readonly #home: HomeDatabase;
  readonly #pools: Pools;
  readonly #secrets: SecretBox;
  readonly #served: ServedVersions;
  readonly #signInAsApi: SignInAsApi;
  readonly #requireOwned: RequireOwned;
  readonly #held = new HeldWrites();
  readonly #byNumber = new Hearsay<number, TenantRoute>({ max: MAX_CACHED_ROUTES, maxAgeMs: MAX_ROUTE_AGE_MS });

  /** `served`: of the tenant schema that this program is written for. */
  constructor(context: {
    home: HomeDatabase;
    pools: Pools;
    secrets: SecretBox;
    served: ServedVersions;
    signInAsApi: SignInAsApi;
    requireOwned: RequireOwned;
  }) {
    this.#home = context.home;
    this.#pools = context.pools;
    this.#secrets = context.secrets;
    this.#served = context.served;
    this.#signInAsApi = context.signInAsApi;
    this.#requireOwned = context.requireOwned;
  }

  /** Where the row with this id is; undefined when no placement has the number in it. */
  async route(id: string): Promise<Route | undefined> {
    return (await this.routes([id]))[0];
  }

  /** The same for several rows, in their order, with one statement for all that is not known. */
  routes(ids: readonly string[]): Promise<(Route | undefined)[]> {
    return this.routesOfNumbers(ids.map(placementNumberOf));
  }

  /** The same for the placements with these numbers. */
  async routesOfNumbers(numbers: readonly number[]): Promise<(Route | undefined)[]> {
    const found = new Map<number, Route>([[HOME_NUMBER, { kind: "home" }]]);
    for (const number of numbers) {
      const cached = this.#byNumber.get(number);
      if (cached !== undefined) found.set(number, cached);
    }
    const unknown = [...new Set(numbers)].filter((number) => !found.has(number));
    if (unknown.length > 0) {
      const asked = this.#byNumber.ask();
      const rows = await this.#home.query<RouteRow & { asked: number }>(
        "routes.by_numbers",
        `select asked.number as asked, ${COLUMNS} ${FROM}
         join (
           select number, id as placement_id from tenantry.placements where number = any($1::int[])
           union all
           select number, placement_id from tenantry.adopted_numbers where number = any($1::int[])
         ) asked on asked.placement_id = p.id`,
        [unknown],
      );
      for (const row of rows) found.set(row.asked, this.#remember(row, asked, row.asked));
    }
    return numbers.map((number) => found.get(number));
  }

  /** The routes of an organization's placements, read anew, by region key. */
  async routesOf(organizationId: string): Promise<TenantRoute[]> {
    const asked = this.#byNumber.ask();
    const rows = await this.#home.query<RouteRow>(
      "routes.of_organization",
      `select ${COLUMNS} ${FROM} where p.organization_id = $1 order by r.key`,
      [organizationId],
    );
    return rows.map((row) => this.#remember(row, asked));
  }

  /**
   * Does a write of a placement, which waits while that is switched to another database: then `work` is called again with the route
   * as it is. CONFLICT when the placement is not active any more, LIMIT_EXCEEDED when it takes too long.
   */
  writing<Result>(route: TenantRoute, work: (route: TenantRoute) => Promise<Result>): Promise<Result> {
    return this.#held.write(route, async (how) => work(how === "first" ? route : await this.#routeNow(route, how)));
  }

  async #routeNow(route: TenantRoute, how: "again" | "anew"): Promise<TenantRoute> {
    const { placementNumber, organizationId, regionKey } = route;
    const isOwn = (one: Route | undefined) => one?.kind === "tenant" && one.placementNumber === placementNumber;
    // Asked anew, as what is remembered may be of before. While home is away, what was known is all there is.
    const routes =
      how === "again"
        ? await this.routesOfNumbers([placementNumber])
        : await this.routesOf(organizationId).catch((): Route[] => [route]);
    const now = routes.find(isOwn);
    if (now?.kind !== "tenant")
      throw new TenantryError("CONFLICT", `The organization's access to region ${regionKey} was revoked.`);
    requireActive(now);
    return now;
  }

  /** Forgets everything: a placement or a region changed. */
  forget(): void {
    this.#byNumber.forget();
    this.#held.announce();
  }

  /** Whether home's announcements are heard from now on: while they are not, nothing is kept. */
  hear(isHearing: boolean): void {
    this.#byNumber.hear(isHearing);
  }

  /** `number`: what was asked for, the placement's own or one that it has adopted. */
  #remember(row: RouteRow, asked: { generation: number; at: number }, number = row.number): TenantRoute {
    const operator = parseServerUrl(this.#secrets.open(row.sealedUrl, row.regionId), "connectionUrl");
    const address = this.#signInAsApi({ ...operator, region: row.regionKey }, row.systemIdentifier);
    const scope = organizationScope(row.organizationId, row.number);
    const pooler = row.poolUrl === null ? undefined : parsePoolUrl(row.poolUrl, "poolUrl");
    const openUnscoped = () =>
      this.#pools.open("tenant", address, row.database, { pooler, budgeted: true, forCallers: true });
    const route: TenantRoute = {
      kind: "tenant",
      placementId: row.placementId,
      placementNumber: row.number,
      organizationId: row.organizationId,
      regionId: row.regionId,
      regionKey: row.regionKey,
      databaseId: row.databaseId,
      state: row.state,
      versionObstacle: whyVersionUnfit(row, this.#served),
      requireOwned: () => this.#requireOwned(row.regionId),
      open: () => openUnscoped().scoped(scope),
      openUnscoped,
    };
    if (SERVED_STATES.has(route.state)) this.#byNumber.set(number, route, asked);
    return route;
  }
}

/**
 * Served are the latest version and the one before it: the program is started first, the databases are migrated while it
 * serves. What home recorded decides, which the route's own statement reads.
 */
function whyVersionUnfit(
  { schemaVersion: version, regionKey }: RouteRow,
  { oldest, latest }: ServedVersions,
): string | undefined {
  if (version === null) return undefined;
  const standing = `The organization's database in region ${regionKey} is at schema version ${describeVersion(version)}`;
  if (isBeyond(version, latest))
    return `${standing}, newer than the ${describeVersion(latest)} that this program knows: start the newer program.`;
  return isBeyond(oldest, version)
    ? `${standing} and this program serves from ${describeVersion(oldest)} on: run tenantry migrate.`
    : undefined;
}

/** Refuses with one sentence unless the placement takes reads and writes now, by a program of this version. */
export function requireActive(route: TenantRoute): void {
  const obstacle = whyUnavailable(route);
  if (obstacle !== undefined) throw obstacle;
}

/** CONFLICT with one sentence when the placement takes no reads and writes now; undefined when it does. */
export function whyUnavailable(route: TenantRoute): TenantryError | undefined {
  if (SERVED_STATES.has(route.state)) {
    const { versionObstacle } = route;
    return versionObstacle === undefined ? undefined : new TenantryError("CONFLICT", versionObstacle);
  }
  const sentences: Record<string, string> = {
    PROVISIONING: `The organization's access to region ${route.regionKey} is still being set up.`,
    FAILED: `The organization's access to region ${route.regionKey} could not be set up.`,
    SUSPENDED: `The organization's access to region ${route.regionKey} was revoked; until its data is dropped that can be undone.`,
    REVOKING: `The organization's access to region ${route.regionKey} was revoked.`,
  };
  return new TenantryError(
    "CONFLICT",
    sentences[route.state] ?? `The organization's access to region ${route.regionKey} is ${route.state.toLowerCase()}.`,
  );
}
