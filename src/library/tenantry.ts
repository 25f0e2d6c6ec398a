/** The library's root: what a team's own server makes once, and from which it gets everything else. */
import { readConfig } from "#config";
import { type Actor as EngineActor, OPERATOR } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import type { Role } from "#engine/auth/roles";
import { readEraseSql } from "#engine/erasure/erase-sql";
import { getUser } from "#engine/home/users";
import { type Lag, readLag, waitUntilInCatalog } from "#engine/links/visible-writes";
import { explained, explaining } from "#library/explained";
import type { TenantSchema } from "#library/tenant-schema";
import { requireActive, type TenantRoute } from "#engine/routing/routing";
import type { Services } from "#engine/services";
import { invalidInput, notFound } from "#base/kernel/errors";
import { HOME_NUMBER } from "#base/kernel/ids";
import { DEFAULT_LIMITS } from "#base/kernel/limits";
import { validId } from "#base/kernel/validation";
import { createLogger, type LogLevel } from "#base/observability/logger";
import { type Actor, readActor } from "#library/actor";
import { CatalogWrites } from "#library/catalog-writes";
import { atHome, inRegion, type Location } from "#library/location";
import { Members } from "#library/members";
import { Organizations } from "#library/organizations";
import { type GrantInput, type Placement, Placements, type RevokeInput } from "#library/placements";
import { loadProject, type Project } from "#project/load-project";
import { RoutesOfOrganizations } from "#library/routes-of-organizations";
import { Tenant } from "#library/tenant";
import { Users } from "#library/users";
import { closeServices, createServices, signInAsApi } from "#services";
import { startWork, type WorkOptions } from "#work";

/** What {@link createTenantry} starts with. */
export type TenantryOptions = {
  /** Home's connection URL, with a database. Left out: the environment's DATABASE_URL, and TENANTRY_SECRET_KEY with it. */
  databaseUrl?: string;
  /** The connection pooler in front of home, if there is one. */
  databasePoolUrl?: string;
  /** Opens what home keeps sealed, such as the regions' connection URLs. The same for all processes. */
  secretKey?: string;
  /** Keys that stored secrets may still be sealed with, while the key is being changed. */
  previousSecretKeys?: readonly string[];
  /** The tables of your app. Left out: those that `tenantry.config.ts` in the working folder names. */
  tenantSchema?: TenantSchema;
  /**
   * What erasing somebody does to your tables: the text of your erase.sql. Of use with `work`. Left out: the file that
   * `tenantry.config.ts` names, where the tables are its too.
   */
  eraseSql?: string;
  /** The most connections to tenant databases: in total (39 when left out) and to one server (24). */
  connections?: { max: number; maxPerServer: number };
  /** A single statement is stopped after this many milliseconds; 30,000 when left out. */
  statementTimeoutMs?: number;
  /**
   * Whether home is migrated, and jobs, replication and the gateway run, in this process too; false when left out:
   * `tenantry start` does it. One process of an installation has to.
   */
  work?: boolean | WorkOptions;
  /** Where exports before a revocation go; left out: there are none. */
  exportFolder?: string;
  /** What is logged, as JSON lines; `warn` when left out. */
  logLevel?: LogLevel;
  /** Where log lines go; left out: to standard output. */
  logDestination?: { write: (line: string) => void };
};

/** Which tables a handle is on, and for whom. */
export type TenantInput = {
  /** The organization; null or left out: the default organization, whose tables are at home. */
  organizationId?: string | null;
  /** The region; may be left out where the organization has access to one only. */
  regionKey?: string;
  /** Who is behind it; left out: the team itself. See {@link Actor}. */
  actor?: Actor;
  /** When it is aborted, what the handle's statements do is stopped on the servers. For a handle of one request. */
  signal?: AbortSignal;
};

/**
 * Opens Tenantry in this process. Close it at the end.
 *
 * Throws TenantryError with one sentence: HOME_UNAVAILABLE when home cannot be reached, CONFLICT when its schema is
 * not the one of `tenantSchema`, CAPABILITY_MISSING when its server lacks something, INVALID_INPUT for a setting that
 * is wrong.
 *
 * @example
 * const tenantry = await createTenantry();
 * const eu = await tenantry.tenant({ organizationId, regionKey: "eu", actor: { userId } });
 * const invoices = await eu.query<{ number: string }>("select number from app.invoices");
 * await tenantry.close();
 */
export function createTenantry(options: TenantryOptions = {}): Promise<Tenantry> {
  return explained(open(options));
}

async function open(options: TenantryOptions): Promise<Tenantry> {
  const { work = false } = options;
  const project = options.tenantSchema === undefined ? await requireProjectHere() : undefined;
  const tenantSchema = options.tenantSchema ?? project?.tenantSchema;
  if (tenantSchema === undefined) throw new Error("there is no tenant schema");
  const eraseSql = options.eraseSql === undefined ? project?.eraseSql : readEraseSql("eraseSql", options.eraseSql);
  await using rollback = new AsyncDisposableStack();
  const services = await createServices({
    ...settingsOf(options),
    tenantSchema,
    eraseSql,
    ...(options.exportFolder !== undefined && { exportFolder: options.exportFolder }),
    ...(options.connections !== undefined && { connections: options.connections }),
    logger: createLogger({
      level: options.logLevel ?? "warn",
      destination: options.logDestination,
    }),
    mailsInLog: false,
    migrateHome: work !== false,
  });
  rollback.defer(() => closeServices(services));
  if (work !== false) {
    const running = await startWork(services, work === true ? {} : work);
    rollback.defer(running.stop);
  }
  const api = await signInAsApi(services);
  const routes = await RoutesOfOrganizations.open(api);
  const started = rollback.move();
  return new Tenantry({
    services: api,
    routes,
    statementTimeoutMs: options.statementTimeoutMs ?? DEFAULT_LIMITS.timeoutMs,
    close: () => started.disposeAsync(),
  });
}

/** What the working folder's `tenantry.config.ts` names, as for the program. */
async function requireProjectHere(): Promise<Project> {
  const project = await loadProject(process.cwd());
  if (project === undefined)
    throw invalidInput(
      "tenantSchema",
      "There is no tenantry.config.ts in the working folder: write one, or give tenantSchema.",
    );
  return project;
}

/** What is not given is in the environment, as for the program. */
function settingsOf({ databaseUrl, databasePoolUrl, secretKey, previousSecretKeys }: TenantryOptions) {
  if (databaseUrl !== undefined && secretKey !== undefined)
    return {
      databaseUrl,
      secretKey,
      previousSecretKeys: previousSecretKeys ?? [],
      ...(databasePoolUrl !== undefined && { databasePoolUrl }),
    };
  const config = readConfig();
  const pooler = databasePoolUrl ?? config.databasePoolUrl;
  const found = { databaseUrl: databaseUrl ?? config.databaseUrl, secretKey: secretKey ?? config.secretKey };
  if (found.databaseUrl === undefined || found.secretKey === undefined)
    throw invalidInput("databaseUrl", "Give databaseUrl and secretKey, or set DATABASE_URL and TENANTRY_SECRET_KEY.");
  return {
    databaseUrl: found.databaseUrl,
    secretKey: found.secretKey,
    previousSecretKeys: previousSecretKeys ?? config.previousSecretKeys,
    ...(pooler !== undefined && { databasePoolUrl: pooler }),
  };
}

type Parts = {
  services: Services;
  routes: RoutesOfOrganizations;
  statementTimeoutMs: number;
  close: () => Promise<void>;
};

/** Tenantry in this process; {@link createTenantry} makes it. */
export class Tenantry {
  /** People. */
  readonly users: Users;
  /** Organizations. */
  readonly organizations: Organizations;
  /** Who belongs to an organization. */
  readonly members: Members;
  /** Organizations' access to regions. */
  readonly placements: Placements;
  readonly #parts: Parts;
  readonly #writes: CatalogWrites;

  /** @internal */
  constructor(parts: Parts) {
    const { services } = parts;
    this.#parts = parts;
    this.#writes = new CatalogWrites(services.tables.at(null).tables);
    this.users = explaining(new Users(services));
    this.organizations = explaining(new Organizations(services));
    this.members = explaining(new Members(services));
    this.placements = explaining(new Placements(services));
  }

  /**
   * A handle on an organization's tables in one region. With an actor it is refused unless they belong to the
   * organization; their role is on the handle. Asks home at most twice, and nothing where it knows the routes and the
   * actor's role (for a second).
   *
   * Throws TenantryError: NOT_FOUND for an organization that does not exist or is not the actor's, INVALID_INPUT for a
   * region that it has no access to, or for none where it has access to several; the message names those that it has.
   * CONFLICT when the placement is not ACTIVE, HOME_UNAVAILABLE when home cannot be reached.
   *
   * @example
   * const eu = await tenantry.tenant({ organizationId, regionKey: "eu", actor: { userId }, signal: request.signal });
   */
  tenant(input: TenantInput): Promise<Tenant> {
    return explained(this.#tenant(input));
  }

  async #tenant({ organizationId = null, regionKey, actor: given, signal }: TenantInput): Promise<Tenant> {
    const { services } = this.#parts;
    const actor = readActor(given);
    if (organizationId === null) {
      if (regionKey !== undefined)
        throw invalidInput("regionKey", "The default organization's tables are at home: leave regionKey out.");
      if (actor.kind === "user") await getUser(services, OPERATOR, actor.userId);
      const facts = { organizationId: null, regionKey: null, role: null, placementNumber: HOME_NUMBER };
      return new Tenant(facts, this.#through(atHome(services, actor)), signal);
    }
    const id = validId("organizationId", organizationId);
    const [role, routes] = await Promise.all([this.#roleIn(id, actor), this.#parts.routes.of(id)]);
    if (actor.kind === "user" && role === null) throw notFound("Organization");
    if (routes.length === 0) await requireInOrganization(services.home, OPERATOR, id, "read");
    const route = chooseRoute(routes, regionKey);
    requireActive(route);
    const { placementNumber } = route;
    const facts = { organizationId: id, regionKey: route.regionKey, role, placementNumber };
    return new Tenant(facts, this.#through(inRegion(services, route, actor)), signal);
  }

  /**
   * Gives an organization access to a region. Returns when the placement is ACTIVE, or after 5 s with the state reached; the same
   * placement when called again. See {@link Placements.grant}.
   */
  grant(input: GrantInput): Promise<Placement> {
    return this.placements.grant(input);
  }

  /** Takes an organization's access to a region away. See {@link Placements.revoke}. */
  revoke(input: RevokeInput): Promise<Placement> {
    return this.placements.revoke(input);
  }

  /** Flows between home and tenant databases that are known not to have caught up; empty nearly always. */
  async lag({ actor }: { actor?: Actor } = {}): Promise<Lag[]> {
    return explained(readLag(this.#parts.services, readActor(actor)));
  }

  /** Lets what runs end, and closes every connection of this process. Handles are of no use afterwards. */
  close(): Promise<void> {
    return this.#parts.close();
  }

  #through(location: Location) {
    const { services, statementTimeoutMs } = this.#parts;
    return {
      location,
      statementTimeoutMs,
      writes: this.#writes,
      waitUntilVisible: (databaseId: number) => waitUntilInCatalog(services, databaseId),
    };
  }

  async #roleIn(organizationId: string, actor: EngineActor): Promise<Role | null> {
    if (actor.kind !== "user") return null;
    return (await this.#parts.services.roleCache.rolesOf([organizationId], actor)).get(organizationId) ?? null;
  }
}

function chooseRoute(routes: readonly TenantRoute[], regionKey: string | undefined): TenantRoute {
  const has = routes.map((route) => route.regionKey).join(", ");
  if (regionKey !== undefined) {
    const chosen = routes.find((route) => route.regionKey === regionKey);
    if (chosen !== undefined) return chosen;
    throw invalidInput(
      "regionKey",
      `The organization has no access to region ${JSON.stringify(regionKey.slice(0, 40))}. ${has === "" ? "It has access to no region." : `It has access to: ${has}.`}`,
    );
  }
  const [only, second] = routes;
  if (only === undefined)
    throw invalidInput("regionKey", "The organization has access to no region yet: grant it access to one first.");
  if (second !== undefined)
    throw invalidInput("regionKey", `The organization has access to several regions, so name one of them: ${has}.`);
  return only;
}
