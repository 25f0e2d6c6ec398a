/**
 * An installation with some dedicated tenant databases on two servers of its own, in one of two modes: parked, with
 * Tenantry's worker carrying on demand, or attached, with every subscription enabled for good, by a gateway of this process,
 * and no worker.
 */
import pg from "pg";
import { OPERATOR } from "../src/engine/auth/actor.ts";
import type { Gateway } from "../src/engine/border/gateway.ts";
import { TENANT_SCHEMA } from "../src/app/schema.ts";
import { listReplicatedDatabases } from "../src/engine/home/replicated-databases.ts";
import { registerRegion } from "../src/engine/regions/register-region.ts";
import { startGateway } from "../src/engine/links/run-gateway.ts";
import { tenantLinks } from "../src/engine/links/tenant-links.ts";
import { tellSubscriber } from "../src/engine/replication/establish.ts";
import { newRoutedId } from "../src/base/kernel/ids.ts";
import { waitFor } from "../src/base/kernel/wait.ts";
import { createLogger } from "../src/base/observability/logger.ts";
import type { ReplicationOptions } from "../src/engine/links/replication-options.ts";
import { grantRegionAccess } from "../src/engine/placements/grant-region-access.ts";
import type { Services } from "../src/engine/services.ts";
import { closeServices, createServices } from "../src/services.ts";
import { advanceSlots } from "./advance-slots.ts";
import { type Carrier, startCarrier } from "./carrier.ts";
import { type BenchServers, connected, type ServerOptions, sql, startServers } from "./servers.ts";
import { serverCpuSeconds } from "./server-usage.ts";

export type Mode = "parked" | "attached";

export type TenantDatabase = {
  id: number;
  name: string;
  /** Of the organization's placement. */
  number: number;
  organizationId: string;
  /** A member of this organization only. */
  userId: string;
  resourceId: string;
};

/** Nothing sweeps by itself. */
export const NO_SWEEP = { sweepIntervalMs: 3_600_000 };

/** Grants that are asked for at the same time. */
const CONCURRENT_GRANTS = 4;
/** Users who are members of two organizations. */
const SHARED_USERS = 500;

export class Fleet {
  readonly servers: BenchServers;
  readonly home: pg.Client;
  readonly services: Services;
  readonly databases: TenantDatabase[] = [];
  /** Users of two organizations each, with the ids of the two databases. */
  readonly sharedUsers: { id: string; databaseIds: number[] }[] = [];
  #carrier: Carrier | undefined;
  /** In the attached mode, where there is no worker that has one. */
  #gateway: Gateway | undefined;
  #mode: Mode = "parked";

  private constructor(servers: BenchServers, home: pg.Client, services: Services, carrier: Carrier) {
    this.servers = servers;
    this.home = home;
    this.services = services;
    this.#carrier = carrier;
  }

  /** Starts servers and worker, and has the databases granted. Adds the time of each grant to `grantMs`. */
  static async start(size: number, options: ServerOptions, grantMs: number[]): Promise<Fleet> {
    await using rollback = new AsyncDisposableStack();
    const servers = await startServers(options);
    rollback.defer(servers.stop);
    await sql(servers.home.url("postgres"), "create database bench_home");
    const databaseUrl = servers.home.url("bench_home");
    const { secretKey } = servers;
    const carrier = await startCarrier({ databaseUrl, secretKey, replication: NO_SWEEP });
    rollback.defer(carrier.stop);
    const logger = createLogger({ level: "error" });
    const services = await createServices({
      databaseUrl,
      secretKey,
      logger,
      migrateHome: false,
      tenantSchema: TENANT_SCHEMA,
    });
    rollback.defer(() => closeServices(services));
    const home = new pg.Client({ connectionString: databaseUrl });
    await home.connect();
    rollback.defer(() => home.end());
    const fleet = new Fleet(servers, home, services, carrier);
    await fleet.#fill(size, grantMs);
    await fleet.untilParked();
    rollback.move();
    await fleet.restart();
    return fleet;
  }

  async stop(): Promise<void> {
    await this.#carrier?.stop();
    await this.#gateway?.close();
    await this.home.end();
    await closeServices(this.services);
    await this.servers.stop();
  }

  get mode(): Mode {
    return this.#mode;
  }

  get carrier(): Carrier {
    if (this.#carrier === undefined) throw new Error("nothing is carried on demand in this mode");
    return this.#carrier;
  }

  tenantUrl(database: TenantDatabase): string {
    return this.servers.region.url(database.name);
  }

  /** CPU-seconds of both servers so far. */
  cpuSeconds(): number {
    return serverCpuSeconds(this.servers.home.postmaster) + serverCpuSeconds(this.servers.region.postmaster);
  }

  /** Brings every slot to the end of the WAL: each new database wrote some MB that all slots made before must pass. */
  async restart(): Promise<void> {
    await this.#carrier?.stop();
    this.#carrier = undefined;
    await this.untilParked();
    for (const server of [this.servers.home, this.servers.region]) await advanceSlots(server);
    await this.park();
  }

  /** Parks everything and has the worker carry on demand, with these options over the defaults. */
  async park(replication: Partial<ReplicationOptions> = {}): Promise<void> {
    await this.#carrier?.stop();
    this.#carrier = undefined;
    if (this.#mode === "attached") await this.#alterAll("disable");
    this.#mode = "parked";
    await this.untilParked();
    await this.#gateway?.close();
    this.#gateway = undefined;
    const { secretKey } = this.servers;
    const databaseUrl = this.servers.home.url("bench_home");
    this.#carrier = await startCarrier({ databaseUrl, secretKey, replication });
    await this.untilParked();
  }

  /** Ends the worker and enables every subscription; resolves when all of them have caught up. */
  async attach(): Promise<void> {
    if (this.#mode === "attached") return;
    await this.#carrier?.stop();
    this.#carrier = undefined;
    this.#gateway = await startGateway(this.services, { host: "127.0.0.1", port: 0 });
    for (const database of await listReplicatedDatabases(this.services, {})) {
      const { directory, catalog } = await tenantLinks(this.services, database);
      for (const link of [directory, catalog]) await tellSubscriber(link);
    }
    await this.#alterAll("enable");
    this.#mode = "attached";
    await this.untilCarried();
  }

  /** Waits until no replication process is left. */
  async untilParked(): Promise<void> {
    const done = await waitFor(async () => ((await this.#countActiveSlots()) === 0 ? true : undefined), {
      timeoutMs: 120_000,
      maxPauseMs: 5,
    });
    if (done === undefined) throw new Error("not everything was parked in time");
  }

  /** Waits until every subscriber has confirmed what its publisher has written by now; in the attached mode. */
  async untilCarried(): Promise<void> {
    for (const url of [this.servers.home.url("postgres"), this.servers.region.url("postgres")])
      await connected(url, async (client) => {
        const { rows } = await client.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
        const done = await waitFor(
          async () => {
            const { rows: behind } = await client.query<{ n: number }>(
              "select count(*)::int as n from pg_replication_slots where not active or confirmed_flush_lsn < $1::pg_lsn",
              [rows[0]?.lsn],
            );
            return behind[0]?.n === 0 ? true : undefined;
          },
          { timeoutMs: 120_000, pauseMs: 20, maxPauseMs: 20 },
        );
        if (done === undefined) throw new Error("not everything was carried in time");
      });
  }

  async #countActiveSlots(): Promise<number> {
    const count = "select count(*)::int as n from pg_replication_slots where active";
    const [home, region] = await Promise.all([
      this.home.query<{ n: number }>(count),
      this.services.pools.open("server", this.#regionAddress(), "postgres").query<{ n: number }>("bench.slots", count),
    ]);
    return (home.rows[0]?.n ?? 0) + (region[0]?.n ?? 0);
  }

  #regionAddress() {
    const { hostname, port, username, password } = new URL(this.servers.region.url());
    return { ...this.services.homeAddress, host: hostname, port: Number(port), user: username, password };
  }

  /** Enables or disables both subscriptions of every tenant database. */
  async #alterAll(verb: "enable" | "disable"): Promise<void> {
    const { rows } = await this.home.query<{ name: string }>("select subname as name from pg_subscription");
    for (const { name } of rows) await this.home.query(`alter subscription ${name} ${verb}`);
    for (const database of this.databases)
      await sql(this.tenantUrl(database), `alter subscription ${database.name}_directory ${verb}`);
  }

  /** Organizations, each with a member of its own, and users who are members of two; then the grants. */
  async #fill(size: number, grantMs: number[]): Promise<void> {
    const connectionUrl = this.servers.region.url();
    await registerRegion(this.services, OPERATOR, { key: "bench", name: "Bench", connectionUrl });
    const { rows: organizations } = await this.home.query<{ id: string; user: string }>(
      `with organization as (
         insert into tenantry.organizations (id, name)
         select gen_random_uuid(), 'Organization ' || i from generate_series(1, $1) i returning id
       ), member as (
         insert into tenantry.users (id, name, email)
         select id, 'Member', id || '@example.com' from organization returning id
       ) select id, id as user from organization`,
      [size],
    );
    await this.home.query(
      `insert into tenantry.memberships (organization_id, user_id, role)
       select id, id, 'MEMBER' from tenantry.organizations`,
    );
    const pairs = await this.#addSharedUsers(organizations.map(({ id }) => id));
    const queue = [...organizations];
    const granter = async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const started = performance.now();
        this.databases.push(await this.#grant(next.id));
        grantMs.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT_GRANTS }, granter));
    const idOf = new Map(this.databases.map(({ organizationId, id }) => [organizationId, id]));
    for (const { id, organizationIds } of pairs)
      this.sharedUsers.push({ id, databaseIds: organizationIds.map((organization) => idOf.get(organization) ?? 0) });
  }

  async #addSharedUsers(organizationIds: string[]): Promise<{ id: string; organizationIds: string[] }[]> {
    if (organizationIds.length < 2) return [];
    const { rows } = await this.home.query<{ id: string; organizationIds: string[] }>(
      `with person as (
         insert into tenantry.users (id, name, email)
         select id, 'Shared', id || '@example.com' from (select gen_random_uuid() as id from generate_series(1, $2)) s
         returning id
       )
       select id, array(
         select organization from unnest($1::uuid[]) as organization order by md5(organization::text || id) limit 2
       )::text[] as "organizationIds" from person`,
      [organizationIds, SHARED_USERS],
    );
    await this.home.query(
      `insert into tenantry.memberships (organization_id, user_id, role)
       select organization, user_id, 'MEMBER' from unnest($1::uuid[], $2::uuid[]) as given (organization, user_id)`,
      [rows.flatMap((row) => row.organizationIds), rows.flatMap((row) => row.organizationIds.map(() => row.id))],
    );
    return rows;
  }

  /** Grants access and makes a resource by hand to write comments on. */
  async #grant(organizationId: string): Promise<TenantDatabase> {
    const input = { organizationId, regionKey: "bench", isolation: "DEDICATED" } as const;
    let placement = await grantRegionAccess(this.services, OPERATOR, input);
    // It returns after 5 s with the state reached; the same placement when called again.
    for (let again = 0; placement.state === "PROVISIONING" && again < 12; again += 1)
      placement = await grantRegionAccess(this.services, OPERATOR, input);
    if (placement.state !== "ACTIVE") throw new Error(`the placement is ${placement.state}: ${placement.failure}`);
    const { databaseId: id, database: name, number } = placement;
    const database = { id, name, number, organizationId, userId: organizationId };
    const [resource] = await sql<{ id: string }>(
      this.servers.region.url(database.name),
      `insert into app.resources (database_id, id, organization_id, name)
       values ($1, $3, $2, 'For comments') returning id`,
      [database.id, organizationId, newRoutedId(number)],
    );
    const late = await this.services.nudges.carry([{ databaseId: database.id, direction: "catalog" }], 60_000);
    if (late.length > 0) throw new Error("a new resource did not reach the catalog in time");
    return { ...database, resourceId: resource?.id ?? "" };
  }
}
