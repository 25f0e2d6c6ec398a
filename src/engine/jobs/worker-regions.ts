/**
 * The regions that workers run jobs on. A worker says so with session locks at home, which end with it however it ends; so
 * anybody can see which regions have a worker that is up.
 */
import type { Queryable, Session } from "#base/postgres/database";
import { findLocked, LOCK_CLASS, shareLock } from "#base/postgres/session-lock";

/** Keys of regions; undefined: all of them. */
export type WorkerRegions = readonly string[] | undefined;

/** No key of a region. */
const ALL = "*";
/** Every worker has it. */
const ANY = "";

/** Says that a worker is up for these regions, for as long as the session is there. */
export async function announceWorker(session: Session<"home">, regions: WorkerRegions): Promise<void> {
  for (const name of [ANY, ...(regions ?? [ALL])]) await shareLock(session, LOCK_CLASS.workerRegion, name);
}

/** Whether a worker is up at all, and whether one is that runs jobs on one of these regions. */
export async function findWorkers(
  home: Queryable<"home">,
  regionKeys: readonly string[],
): Promise<{ isUp: boolean; worksHere: boolean }> {
  const found = await findLocked(home, LOCK_CLASS.workerRegion, [ANY, ALL, ...regionKeys]);
  return { isUp: found.includes(ANY), worksHere: found.some((name) => name !== ANY) };
}

/**
 * SQL: whether a worker of these regions (a parameter: an array of keys, or null for all) may run job `j`. A job of no region
 * is anybody's. A move is that of a worker of either of its regions, unless it may pass others.
 */
export function mayRunSql(regions: string): string {
  const works = (id: string) =>
    `exists (select from tenantry.regions r where r.id = ${id} and r.key = any(${regions}::text[]))`;
  const ofMove = `select from tenantry.moves m
       join tenantry.tenant_databases d on d.id in (m.from_database_id, m.to_database_id)
       where m.placement_id = j.placement_id and (m.goes_through_others or ${works("d.region_id")})`;
  return `(${regions}::text[] is null or j.region_id is null or ${works("j.region_id")}
       or (j.kind in ('move-placement', 'forget-source') and exists (${ofMove})))`;
}
