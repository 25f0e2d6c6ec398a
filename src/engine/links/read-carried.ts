import { LOCK_CLASS } from "#base/postgres/session-lock";
import type { HomeDatabase } from "#base/postgres/database";

/** The ids of the regions whose replication a worker carries now: whoever carries one holds its lock. */
export async function readCarriedRegions({ home }: { home: HomeDatabase }): Promise<Set<string>> {
  const rows = await home.query<{ id: string }>(
    "regions.carried",
    `select r.id from tenantry.regions r where exists (
       select from pg_locks l
       where l.locktype = 'advisory' and l.granted and l.classid = $1 and l.objsubid = 2
         and l.objid::bigint = hashtext(r.id::text)::bigint & 4294967295
         and l.database = (select oid from pg_database where datname = current_database()))`,
    [LOCK_CLASS.region],
  );
  return new Set(rows.map(({ id }) => id));
}
