/**
 * Compares tenant databases with what their migrations make of a new database on the same server. So it works for everybody's
 * tables, and it does not matter how a version of PostgreSQL prints them.
 */
import { findReference } from "#engine/home/reference-schemas";
import { describeLines, describeSchemaIn, digestOf, type SchemaDescription } from "#engine/migrations/fingerprint";
import type { Migration } from "#engine/migrations/migration-set";
import { appliedOf } from "#engine/migrations/runner";
import { type SchemaVersion, versionOf } from "#engine/migrations/schema-version";
import { diffSchema } from "#engine/migrations/schema-difference";
import type { Session } from "#base/postgres/database";
import { makeReference, type RegionServerAt } from "#engine/placements/template-database";
import { MAINTENANCE_DATABASE } from "#engine/servers/server-probe";
import type { Services } from "#engine/services";

/** How a database's schema differs from what its migrations make. */
export type Comparison = {
  readonly version: SchemaVersion;
  /** In sentences; empty: it does not. */
  readonly differences: readonly string[];
  /** What the look on the way saw. */
  readonly seen: readonly string[];
};

/** What else is seen of a database on the way, in sentences. */
export type Look = (session: Session<"tenant">) => Promise<readonly string[]>;

/** For one look at many databases: what is known of a server is not asked again. */
export class SchemaComparisons {
  readonly #services: Services;
  readonly #references = new Map<string, Promise<SchemaDescription>>();

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * Reads a tenant database and compares it. Throws the driver's errors, and CONFLICT for a database of another build or a
   * newer program.
   */
  async compare(region: RegionServerAt, database: string, look?: Look): Promise<Comparison> {
    const { pools, tenantSchema } = this.#services;
    const { actual, seen } = await pools.visit("tenant", region.address, database, async (session) => {
      const described = await describeSchemaIn(session);
      // Where a function is missing that it asks, the comparison says so.
      return { actual: described, seen: (await look?.(session).catch(() => [])) ?? [] };
    });
    const expected = await this.#reference(region, appliedOf(actual.applied, tenantSchema), actual.serverVersion);
    const isSame = actual.fingerprint === expected.fingerprint;
    return { version: versionOf(actual.applied), differences: isSame ? [] : diffSchema(expected, actual), seen };
  }

  /** The fingerprint that a database of the latest version should have, where the server is of this version. */
  async latestFingerprint(region: RegionServerAt, serverVersion: number): Promise<string> {
    const { migrations } = this.#services.tenantSchema;
    return (await this.#reference(region, migrations, serverVersion)).fingerprint;
  }

  #reference(
    region: RegionServerAt,
    migrations: readonly Migration[],
    serverVersion: number,
  ): Promise<SchemaDescription> {
    const digest = digestOf(migrations, this.#services.apiRole.name);
    const key = `${region.regionId} ${digest} ${serverVersion}`;
    const known = this.#references.get(key) ?? this.#findOrMake(region, migrations, { digest, serverVersion });
    this.#references.set(key, known);
    return known;
  }

  async #findOrMake(
    region: RegionServerAt,
    migrations: readonly Migration[],
    key: { digest: string; serverVersion: number },
  ): Promise<SchemaDescription> {
    const services = this.#services;
    const lines = await findReference(services, { regionId: region.regionId, ...key });
    if (lines !== undefined) return describeLines(lines);
    const server = services.pools.open("server", region.address, MAINTENANCE_DATABASE);
    return makeReference(services, server, region, migrations);
  }
}
