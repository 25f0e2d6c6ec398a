/** What happens at home to an organization's members and to its rows in the catalog, in whichever region they live. */
import { DEFAULT_ORGANIZATION_ID } from "#base/kernel/ids";
import type { DatabaseKind, Queryable } from "#base/postgres/database";
import type { Listener } from "#base/postgres/listener";
import { changeHubOf } from "#engine/events/change-hub";
import { changedRows, readLog } from "#engine/events/event-log";
import type { Log } from "#engine/events/follow-log";
import type { DeclaredTables } from "#engine/tables";

/**
 * Channel on which is said in which organization something at home has changed: a member, or a row of the default organization.
 * Of what regions send, {@link ChangeHub} hears.
 */
export const CHANGE_CHANNEL = "tenantry_change";

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
    hear: async (wake) => {
      const stops = [
        await listener.on(CHANGE_CHANNEL, (payload) => {
          // Nothing is said when the connection has come back: something may have been missed.
          if (payload === "" || payload === about) wake();
        }),
      ];
      if (organizationId !== null && table !== MEMBERSHIPS)
        stops.push(await changeHubOf({ home, listener }).on(organizationId, wake));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/** What is announced with a write at home, where the table's rows are in the catalog at once; undefined: nothing. */
export function changeNotice(
  { tables }: { tables: Pick<DeclaredTables, "flows"> },
  { kind }: { kind: "home" | "tenant" },
  table: string,
): { channel: string; payload: string } | undefined {
  if (kind !== "home" || !tables.flows(table)) return undefined;
  return { channel: CHANGE_CHANNEL, payload: DEFAULT_ORGANIZATION_ID };
}
