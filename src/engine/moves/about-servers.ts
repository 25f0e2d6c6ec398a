/** What both servers have room for, and which versions they are. Pure. */
import type { ServerProbe } from "#base/postgres/probe";
import type { ServerCapacity } from "#base/postgres/server-capacity";
import { blocker, type Finding, remark } from "#engine/moves/findings";
import type { HomeFacts } from "#engine/moves/read-home";
import type { MoveWish, Side } from "#engine/moves/wish";
import { findShortage, standingOf } from "#engine/replication/capacity";

type Sides = { source: Side; target: Side };

/** An older server takes everything that a stream and a copy bring; what else lies in the database nobody can know. */
export function aboutVersions({ source, target }: Sides, here: ServerProbe, there: ServerProbe): Finding[] {
  const major = ({ versionNumber }: ServerProbe) => Math.floor(versionNumber / 10_000);
  if (major(there) >= major(here)) return [];
  return [
    remark(
      `Region ${target.key} has PostgreSQL ${major(there)}, older than the ${major(here)} of region ${source.key}: statements of your own that need ${major(here)} fail there.`,
    ),
  ];
}

/** Connections that a move needs on each server, besides those that callers bring along. */
const CONNECTIONS = 4;

type Needed = { slots: number; origins: number };

/** Whether the stream fits, the way back, and the links of a database that is made for it. */
export function aboutRoom(
  { source, target }: Sides,
  { here, there, home }: { here: ServerCapacity; there: ServerCapacity; home: ServerCapacity | undefined },
  { isolation, keepSourceSeconds }: MoveWish,
  { shared }: HomeFacts,
): Finding[] {
  const isNew = isolation === "DEDICATED" || shared?.version == null ? 1 : 0;
  const back = keepSourceSeconds > 0 ? 1 : 0;
  const ofSource: Needed = { slots: 1, origins: back };
  const ofTarget: Needed = { slots: isNew + back, origins: isNew + 1 };
  const isOne = here.systemIdentifier === there.systemIdentifier;
  const sum = { slots: ofSource.slots + ofTarget.slots, origins: ofSource.origins + ofTarget.origins };
  const found = isOne
    ? shortages(target.key, there, sum)
    : [...shortages(source.key, here, ofSource), ...shortages(target.key, there, ofTarget)];
  const ofHome = isNew === 0 || home === undefined ? undefined : findShortage("Home's server", home, 1);
  if (ofHome !== undefined) found.push(blocker("Home's server has no room for one more tenant database.", ofHome));
  return found;
}

function shortages(key: string, capacity: ServerCapacity, { slots, origins }: Needed): Finding[] {
  const needs: Record<string, number> = {
    max_replication_slots: slots,
    "max_replication_slots (origins)": origins,
    max_active_replication_origins: origins,
    max_wal_senders: slots > 0 ? 1 : 0,
    max_logical_replication_workers: origins > 0 ? 1 : 0,
    max_connections: CONNECTIONS,
  };
  const standing = standingOf(capacity);
  return standing.flatMap(({ setting, limit, ours, others, left }) => {
    const needed = needs[setting] ?? 0;
    if (left === null || needed === 0 || left >= needed) return [];
    return [
      blocker(
        `The server of region ${key} has no room for the move.`,
        `${setting} is ${limit}: ${ours} are Tenantry's, ${others} others', and ${needed} more are needed. Raise it and restart that server.`,
      ),
    ];
  });
}
