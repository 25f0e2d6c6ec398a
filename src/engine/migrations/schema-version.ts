/**
 * Which migrations a tenant database has: how many of the engine's and how many of the app's. The two are counted apart, as an
 * upgrade of Tenantry and a migration of the app come in any order.
 */
import type { MigrationSet } from "#engine/migrations/migration-set";

export type SchemaVersion = { readonly engine: number; readonly app: number };

/** The version that these migrations make, or of a database that has them. */
export function versionOf(migrations: readonly { readonly part: string }[]): SchemaVersion {
  // At home the app has some that tenant databases have not.
  const app = migrations.filter(({ part }) => part === "app" || part === "app_home").length;
  return { engine: migrations.length - app, app };
}

/** What a database is brought to. */
export function latestOf({ migrations }: Pick<MigrationSet, "migrations">): SchemaVersion {
  return versionOf(migrations);
}

/**
 * The oldest version that a program with these migrations serves: the program is started first, and the databases are migrated
 * while it serves. It may have brought a step of the engine and a migration of the app.
 */
export function oldestServedOf({ migrations }: Pick<MigrationSet, "migrations">): SchemaVersion {
  const engine = migrations.filter(({ part }) => part !== "app");
  const step = engine.at(-1)?.number;
  const before = engine.filter(({ number }) => number !== step).length;
  return { engine: before === 0 ? engine.length : before, app: Math.max(0, latestOf({ migrations }).app - 1) };
}

/** How many migrations it is in all: what people are shown. */
export function totalOf({ engine, app }: SchemaVersion): number {
  return engine + app;
}

export function isSameVersion(one: SchemaVersion, other: SchemaVersion): boolean {
  return one.engine === other.engine && one.app === other.app;
}

/** Whether it has something that `other` has not. */
export function isBeyond(version: SchemaVersion, other: SchemaVersion): boolean {
  return version.engine > other.engine || version.app > other.app;
}

/** For a sentence that compares two: they may have as many in all. */
export function describeVersion({ engine, app }: SchemaVersion): string {
  return `${engine + app} (${engine} of Tenantry and ${app} of the app)`;
}
