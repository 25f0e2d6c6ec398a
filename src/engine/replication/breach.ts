/** A link brought something that it may not bring: how the process that saw it tells the one that carries the link. */
import type { Direction } from "#engine/replication/names";
import type { LinkId } from "#engine/replication/nudge";

/** `<database id> <direction> <sentence>` */
export const BREACH_CHANNEL = "tenantry_breach";

/** Reads an announcement; undefined for anything malformed. */
export function parseBreach(payload: string): (LinkId & { sentence: string }) | undefined {
  const match = /^(\d{1,10}) (directory|catalog) (.+)$/s.exec(payload);
  if (match === null) return undefined;
  return { databaseId: Number(match[1]), direction: match[2] as Direction, sentence: match[3] ?? "" };
}
