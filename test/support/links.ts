/** Links as a test makes them, without an installation around them: what they do is looked at by the test. */
import type { Database, DatabaseKind } from "../../src/base/postgres/database.ts";
import { type Flows, type Link, linksOf } from "../../src/engine/replication/link.ts";
import type { Direction } from "../../src/engine/replication/names.ts";
import { APP_FLOWS } from "./flows.ts";

/** The two links of a tenant database. `told`: what their subscribers are told; nothing when left out. */
export function looseLinks(
  installation: string,
  databaseId: number,
  ends: { home: Database<DatabaseKind>; tenant: Database<DatabaseKind> },
  options: { flows?: Flows; told?: Partial<Record<Direction, { connection: string; mark: string }>> } = {},
): Record<Direction, Link> {
  const { flows = APP_FLOWS, told = {} } = options;
  const toldOf = (direction: Direction) => {
    const now = told[direction] ?? { connection: "", mark: "nothing" };
    return { now, before: now.mark };
  };
  return linksOf(installation, {
    databaseId,
    home: { database: ends.home },
    tenant: { database: ends.tenant },
    flows,
    told: { directory: toldOf("directory"), catalog: toldOf("catalog") },
    ledgerOf: () => ({ seeded: () => undefined, wrongTables: () => undefined }),
  });
}
