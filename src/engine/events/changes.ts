/** What happens at home to an organization's members and to its rows in the catalog, in whichever region they live. */
import { DEFAULT_ORGANIZATION_ID } from "#base/kernel/ids";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import type { Listener } from "#base/postgres/listener";
import { changedRows, readLog } from "#engine/events/event-log";
import type { Log } from "#engine/events/follow-log";

/** Channel on which home says in which organization something has changed (tenantry.add_change). */
const CHANNEL = "tenantry_change";

/** What home calls memberships in its log of changes. */
export const MEMBERSHIPS = "tenantry.memberships";

/**
 * The log of one table and organization; null: the default organization. `requireMay` throws when the actor may not read it
 * (any more): it is asked before each reading, also when nothing happens.
 */
export function logOfChanges(
  { home, listener }: { home: Queryable<DatabaseKind>; listener: Pick<Listener, "on"> },
  organizationId: string | null,
  table: string,
  requireMay: () => Promise<void>,
): Log {
  const source = changedRows(organizationId, table);
  const about = organizationId ?? DEFAULT_ORGANIZATION_ID;
  return {
    read: async (position) => {
      await requireMay();
      return readLog(home, source, position);
    },
    hear: (wake) =>
      listener.on(CHANNEL, (payload) => {
        // Nothing is said when the connection has come back: something may have been missed.
        if (payload === "" || payload === about) wake();
      }),
  };
}
