/** What may cross, made of the same declarations as the publications. */
import type { Flows } from "#engine/replication/link";
import type { Direction } from "#engine/replication/names";
import { PUBLISHED_CHANGES, rowFilter } from "#engine/replication/publication";

/** What the tenant databases of one version let flow. */
export type VersionFlows = { schemaVersion: number; databases: number; flows: Flows };

/** One table of which rows may cross. */
export type BorderFlow = {
  direction: Direction;
  /** At the publisher: home for `directory`, the tenant database for `catalog`. */
  from: string;
  /** At the subscriber. What regions send goes into the inbox first, where it is checked. */
  into: string;
  columns: readonly string[];
  /** In SQL. */
  filter: string;
  /** What is published of the rows; nothing else is, such as TRUNCATE. */
  changes: readonly string[];
  /** Of the tenant databases for which it is so. */
  schemaVersions: number[];
  /** How many there are. */
  databases: number;
};

/** Each table once for all versions that let the same columns of it flow. */
export function mayCross(versions: readonly VersionFlows[]): BorderFlow[] {
  const found = new Map<string, BorderFlow>();
  for (const { schemaVersion, databases, flows } of versions)
    for (const direction of ["directory", "catalog"] as const)
      for (const { from, into, columns } of flows[direction]) {
        const key = [direction, from, ...columns].join(" ");
        const flow = found.get(key) ?? {
          direction,
          from,
          into,
          columns,
          filter: rowFilter("<the tenant database's number>"),
          changes: PUBLISHED_CHANGES,
          schemaVersions: [],
          databases: 0,
        };
        if (!flow.schemaVersions.includes(schemaVersion)) flow.schemaVersions.push(schemaVersion);
        flow.databases += databases;
        found.set(key, flow);
      }
  return [...found.values()];
}
