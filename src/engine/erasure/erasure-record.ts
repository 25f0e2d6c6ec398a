/** What home knows of erasures: whose were asked for, and which databases they have yet to reach. */
import { VERSION_OF_DATABASE } from "#engine/home/tenant-databases";
import type { SchemaVersion } from "#engine/migrations/schema-version";
import { newId } from "#base/kernel/ids";
import { failpoint } from "#base/kernel/failpoints";
import type { HomeDatabase, Queryable } from "#base/postgres/database";
import type { EraseSql } from "#engine/erasure/erase-sql";
import { requestJob } from "#engine/jobs/job";

/** An erasure as home has it. */
export type RecordedErasure = { userId: string; id: string; homeIsDue: boolean };

/** A tenant database that an erasure has yet to reach. */
export type DueDatabase = {
  databaseId: number;
  name: string;
  schemaVersion: SchemaVersion;
  /** Which asking it is, for {@link noteDone}. */
  asked: string;
  /** Whether rows are being imported into it now. */
  isImporting: boolean;
};

/** Users whose erasures are asked for by one transaction. */
const PIECE = 100;

/** What is asked for. */
type Request = {
  userId: string;
  requestedBy: string;
  eraseSql: EraseSql | undefined;
  /** Of an erasure that home has forgotten. */
  id?: string;
};

/**
 * Asks for it in every database, in the caller's transaction. Where a part of it is still due, nothing but that part is asked
 * for; else all of it is done anew.
 */
export async function requestErasure(
  home: Queryable<"home">,
  { userId, requestedBy, eraseSql, id = newId() }: Request,
): Promise<void> {
  await home.query(
    "erasures.begin",
    `with begun as (
       insert into tenantry.erasures as e (user_id, id, erased_at)
       values ($1, $2, coalesce((select erased_at from tenantry.users where id = $1), now()))
       on conflict (user_id) do update set home_is_due = true
         where not e.home_is_due and not exists (select from tenantry.erasures_due where user_id = $1)
       returning 1)
     insert into tenantry.erasures_due (user_id, database_id)
     select $1, d.id from tenantry.tenant_databases d where d.engine_version is not null and exists (select from begun)
     on conflict do nothing`,
    [userId, id],
  );
  await requestErasureJobs(home, { userId, requestedBy, eraseSql });
}

/** One job for home and one for each region, so that none waits for another. */
export async function requestErasureJobs(
  home: Queryable<"home">,
  { userId, requestedBy, eraseSql }: Omit<Request, "id">,
): Promise<void> {
  const regions = await home.query<{ id: string | null; key: string | null }>(
    "erasures.regions",
    `select null as id, null as key from tenantry.erasures where user_id = $1 and home_is_due
     union all
     select r.id, r.key from tenantry.regions r where exists (
       select from tenantry.erasures_due e join tenantry.tenant_databases d on d.id = e.database_id
       where e.user_id = $1 and d.region_id = r.id)`,
    [userId],
  );
  for (const { id, key } of regions)
    await requestJob(home, requestedBy, {
      kind: "erase-user",
      subject: `user:${userId} ${key === null ? "home" : `region:${key}`}`,
      ...(id !== null && { regionId: id }),
      input: { userId, eraseSql: eraseSql?.checksum ?? null },
    });
}

/** Undefined: nobody has asked for it. */
export async function findErasure(home: Queryable<"home">, userId: string): Promise<RecordedErasure | undefined> {
  const [row] = await home.query<RecordedErasure>(
    "erasures.find",
    `select user_id as "userId", id, home_is_due as "homeIsDue" from tenantry.erasures where user_id = $1`,
    [userId],
  );
  return row;
}

/** Where a user's erasure has yet to be done: the databases of a region, or with null of all. */
export function listDue(home: Queryable<"home">, userId: string, regionId: string | null): Promise<DueDatabase[]> {
  return home.query<DueDatabase>(
    "erasures.due",
    `select d.id as "databaseId", d.name, ${VERSION_OF_DATABASE} as "schemaVersion", e.asked,
            exists (select from tenantry.jobs j join tenantry.placements p on p.id = j.placement_id
                    where j.kind = 'import-placement' and j.state = 'RUNNING' and p.database_id = d.id) as "isImporting"
     from tenantry.erasures_due e join tenantry.tenant_databases d on d.id = e.database_id
     where e.user_id = $1 and ($2::uuid is null or d.region_id = $2) order by d.id`,
    [userId, regionId],
  );
}

/** Asks again for what is due in a database, which need not wait any longer. */
export async function requestDueJobs(
  home: Queryable<"home">,
  databaseId: number,
  request: Pick<Request, "requestedBy" | "eraseSql">,
): Promise<void> {
  const rows = await home.query<{ userId: string }>(
    "erasures.due_in",
    `select user_id as "userId" from tenantry.erasures_due where database_id = $1`,
    [databaseId],
  );
  for (const { userId } of rows) await requestErasureJobs(home, { userId, ...request });
}

/**
 * Asks for these in one database again, whatever was done there so far: rows with the ids may come back. In pieces, each with
 * its jobs in a transaction of its own. Cut off between two of them it can begin anew. Returns which asking each is.
 */
export async function askAgainIn(
  home: HomeDatabase,
  databaseId: number,
  userIds: readonly string[],
  request: Pick<Request, "requestedBy" | "eraseSql">,
): Promise<Map<string, string>> {
  const asked = new Map<string, string>();
  for (let from = 0; from < userIds.length; from += PIECE) {
    const piece = userIds.slice(from, from + PIECE);
    await home.transaction(async (transaction) => {
      const rows = await transaction.query<{ userId: string; asked: string }>(
        "erasures.ask_again",
        `insert into tenantry.erasures_due (user_id, database_id)
         select e.user_id, d.id from tenantry.erasures e, tenantry.tenant_databases d
         where e.user_id = any($1::uuid[]) and d.id = $2 order by e.user_id
         on conflict (user_id, database_id) do update set asked = excluded.asked
         returning user_id as "userId", asked`,
        [piece, databaseId],
      );
      for (const { userId, asked: id } of rows) {
        asked.set(userId, id);
        await requestErasureJobs(transaction, { userId, ...request });
      }
    });
    await failpoint("erasures/asked-again");
  }
  return asked;
}

/** It has reached a tenant database. One that was asked for again meanwhile, as rows came back, is still due. */
export async function noteDone(
  home: Queryable<"home">,
  userId: string,
  { databaseId, asked }: Pick<DueDatabase, "databaseId" | "asked">,
): Promise<void> {
  await home.query(
    "erasures.done",
    "delete from tenantry.erasures_due where user_id = $1 and database_id = $2 and asked = $3",
    [userId, databaseId, asked],
  );
}

/** It has reached home's own rows. */
export async function noteDoneAtHome(home: Queryable<"home">, userId: string): Promise<void> {
  await home.query("erasures.done_at_home", "update tenantry.erasures set home_is_due = false where user_id = $1", [
    userId,
  ]);
}
