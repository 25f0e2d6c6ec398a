/** Starts Tenantry with a team's tables on servers in a temporary folder. */
import { randomBytes } from "node:crypto";
import { TenantryError } from "#base/kernel/errors";
import { OPERATOR } from "#engine/auth/actor";
import { createOrganization } from "#engine/home/organizations";
import { waitUntilAllInCatalog } from "#engine/links/visible-writes";
import { grantRegionAccess } from "#engine/placements/grant-region-access";
import { registerRegion } from "#engine/regions/register-region";
import { homeFor } from "#engine/routing/location";
import { requireActive } from "#engine/routing/routing";
import type { Services } from "#engine/services";
import { startScratchServers } from "#embedded/scratch";
import { startApp } from "#main";
import { requireProject } from "#project/check-project";
import { findProject } from "#project/load-project";
import { readConfig } from "#config";
import { signInAsApi } from "#services";
import type { TestOptions, TestOrganization, TestTenantry } from "#testing/test-tenantry";

const REGION = "eu";
/** Slow machines start many servers at once. */
const ARRIVAL_TIMEOUT_MS = 30_000;

/** See `startForTest` of src/testing.ts. */
export async function start({ folder = process.cwd() }: TestOptions): Promise<TestTenantry> {
  const { tenantSchema, eraseSql } = requireProject(await findProject(folder));
  await using rollback = new AsyncDisposableStack();
  const servers = await startScratchServers(["home", REGION], { databases: ["tenantry"] });
  rollback.defer(servers.stop);
  const app = await startApp({
    ...readConfig({}),
    gateway: { host: "127.0.0.1", port: 0 },
    databaseUrl: servers.url("home", "tenantry"),
    secretKey: randomBytes(32).toString("base64"),
    role: "worker",
    host: "127.0.0.1",
    port: 0,
    logLevel: "error",
    tenantSchema,
    eraseSql,
  });
  rollback.defer(app.close);
  const { services } = app;
  await registerRegion(services, OPERATOR, {
    key: REGION,
    name: REGION,
    connectionUrl: servers.url(REGION),
    poolUrl: null,
  });
  const { home } = await signInAsApi(services);
  const catalog = homeFor({ home }, OPERATOR);
  /** Tenant databases that a test has used. */
  const written = new Set<number>();
  const running = rollback.move();
  const stop = () => running.disposeAsync();
  return {
    organization: (name, { shared = false } = {}) =>
      place(services, name, shared ? "SHARED" : "DEDICATED", (databaseId) => written.add(databaseId)),
    atHome: async <Row extends object>(text: string, values?: readonly unknown[]) => {
      await Promise.all([...written].map((databaseId) => requireArrived(services, databaseId)));
      return catalog.query<Row>("test.home", text, values);
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function place(
  services: Services,
  name: string,
  isolation: "DEDICATED" | "SHARED",
  onWrite: (databaseId: number) => void,
): Promise<TestOrganization> {
  const { id } = await createOrganization(services, OPERATOR, { name });
  await grantRegionAccess(services, OPERATOR, { organizationId: id, regionKey: REGION, isolation });
  const [route] = await services.router.routesOf(id);
  if (route === undefined) throw new TenantryError("INTERNAL", "The organization has no placement.");
  requireActive(route);
  const database = route.open();
  return {
    id,
    query: <Row extends object>(text: string, values?: readonly unknown[]) => {
      onWrite(route.databaseId);
      return database.query<Row>("test.organization", text, values);
    },
  };
}

async function requireArrived(services: Services, databaseId: number): Promise<void> {
  const late = await waitUntilAllInCatalog(services, databaseId, ARRIVAL_TIMEOUT_MS, new AbortController().signal);
  if (late.length > 0)
    throw new TenantryError(
      "NOT_SYNCED",
      `What was written has not arrived at home after ${ARRIVAL_TIMEOUT_MS / 1000} s.`,
    );
}
