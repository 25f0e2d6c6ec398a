/**
 * Names on servers. They are made of the installation's id and a tenant database's number and never change:
 * two installations can share a server, and a slot (unique per server), a subscription (unique per database) or
 * a database found there says whose it is.
 */

/** The two flows of a tenant database: members come from home, resources go to home. */
export type Direction = "directory" | "catalog";

/** The tenant database's name on its server. */
export function databaseName(installation: string, databaseId: number): string {
  return `tenantry_${installation}_${databaseId}`;
}

/** The database that new tenant databases are copied from, one per schema version. */
export function templateName(installation: string, schemaVersion: number): string {
  return `tenantry_${installation}_template_${schemaVersion}`;
}

/** The name of a slot that a sweep makes for its own time. `unique` tells two sweeps of one server apart. */
export function scoutName(installation: string, unique: string): string {
  return `tenantry_${installation}_scout_${unique}`;
}

/** The name that the publication, the slot and the subscription of one flow share. */
export function linkName(installation: string, databaseId: number, direction: Direction): string {
  return `${databaseName(installation, databaseId)}_${direction}`;
}
