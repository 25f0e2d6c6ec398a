/**
 * Names on servers. They are made of the installation's id and a tenant database's number and never change:
 * two installations can share a server, and a slot (unique per server), a subscription (unique per database) or
 * a database found there says whose it is.
 */

/** The two flows of a tenant database: members come from home, listed columns of rows go to home. */
export type Direction = "directory" | "catalog";

/** What every name of an installation begins with. */
export function namePrefix(installation: string): string {
  return `tenantry_${installation}_`;
}

/** The tenant database's name on its server. */
export function databaseName(installation: string, databaseId: number): string {
  return `${namePrefix(installation)}${databaseId}`;
}

/** What the names of an installation's templates begin with; the schema version follows. */
export function templatePrefix(installation: string): string {
  return `${namePrefix(installation)}template_`;
}

/** The role that the API signs in with, on every server. It owns nothing and sees what row-level security lets it. */
export function apiRoleName(installation: string): string {
  return `${namePrefix(installation)}api`;
}

/** The role that owns home's catalog subscriptions. It may write the inbox, where regions' rows arrive, and nothing else. */
export function inboxRoleName(installation: string): string {
  return `${namePrefix(installation)}inbox`;
}

/** The database that new tenant databases are copied from, one per schema version: the engine's and the app's. */
export function templateName(installation: string, { engine, app }: { engine: number; app: number }): string {
  return `${templatePrefix(installation)}${engine}_${app}`;
}

/** The database that is made to see what the migrations lead to, and dropped again. It goes with the templates. */
export function referenceName(installation: string): string {
  return `${templatePrefix(installation)}reference`;
}

/** The name of a slot that a sweep makes for its own time. `unique` tells two sweeps of one server apart. */
export function scoutName(installation: string, unique: string): string {
  return `${namePrefix(installation)}scout_${unique}`;
}

/** The name that the publication, the slot and the subscription of one flow share. */
export function linkName(installation: string, databaseId: number, direction: Direction): string {
  return `${databaseName(installation, databaseId)}_${direction}`;
}
