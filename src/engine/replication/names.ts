/**
 * Names on servers. They are made of the installation's id and a tenant database's number and never change:
 * two installations can share a server, and a slot (unique per server), a subscription (unique per database) or
 * a database found there says whose it is.
 */

/** The two flows of a tenant database: members come from home, listed columns of rows go to home. */
export type Direction = "directory" | "catalog";

/** What the gateway carries: a flow of a tenant database, or the content of a placement that moves to another database. */
export type StreamKind = Direction | "move";

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

/**
 * The name that the publication, the slot and the subscription of a move share: of the database that publishes, and the number of
 * the placement. At most 41 characters, of which a slot can have 63.
 */
export function moveLinkName(installation: string, databaseId: number, number: number): string {
  return `${databaseName(installation, databaseId)}_move_${number}`;
}

/** What a name of a stream says. `databaseId`: of a move, the database that publishes. */
export type StreamName =
  | { readonly direction: Direction; readonly databaseId: number }
  | { readonly direction: "move"; readonly databaseId: number; readonly number: number };

/** Reads the name of a stream of this installation; undefined for any other text. */
export function parseStreamName(installation: string, name: string): StreamName | undefined {
  const match = /_(\d{1,10})_(?:(directory|catalog)|move_(\d{1,8}))$/.exec(name);
  const databaseId = Number(match?.[1]);
  if (match === null || databaseId > MAX_INT4) return undefined;
  const direction = match[2] as Direction | undefined;
  const number = Number(match[3]);
  const again =
    direction === undefined
      ? moveLinkName(installation, databaseId, number)
      : linkName(installation, databaseId, direction);
  // Numbers have one spelling: without zeros in front.
  if (again !== name) return undefined;
  return direction === undefined ? { direction: "move", databaseId, number } : { direction, databaseId };
}

const MAX_INT4 = 2_147_483_647;
