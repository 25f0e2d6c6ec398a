/**
 * Compares what home and the tenant databases know of erasures. A home that was restored has forgotten those since the backup,
 * and so has a restored region: what one side knows is done again on the other.
 */
import type { CallSource } from "#engine/audit/entry";
import { NOTHING, recorded } from "#engine/audit/record";
import { isConnectionFailure, sqlState } from "#base/postgres/sql-state";
import { TenantryError } from "#base/kernel/errors";
import { forEachLimit } from "#base/kernel/semaphore";
import type { Queryable } from "#base/postgres/database";
import type { Erasure } from "#engine/erasure/erase-columns";
import { askAgainIn, requestErasure } from "#engine/erasure/erasure-record";
import { KEPT_DAYS, readLedger } from "#engine/erasure/ledger";
import { listTenantDatabases, type TenantDatabaseRecord } from "#engine/home/tenant-databases";
import { eraseUserAtHome } from "#engine/home/users";
import { onRegion, requestJob } from "#engine/jobs/job";
import type { JobRun } from "#engine/jobs/job-run";
import { regionAddress } from "#engine/regions/region-address";
import type { Services } from "#engine/services";

const CONCURRENCY = 4;
const REQUESTED_BY = "system";

/** What one tenant database and home do not agree on. */
export type ErasureDifference = {
  databaseId: number;
  database: string;
  /** Done or begun there, and home has forgotten it: home was restored. */
  forgottenAtHome: Erasure[];
  /** Users whose erasure was done there, and the database has forgotten it: it was restored. */
  forgottenThere: string[];
  /** Lines there that home has not written. */
  forged: number;
};

/** Asks for a comparison with every region. Cheap: nothing is looked at yet. */
export async function requestReviews(home: Queryable<"home">): Promise<void> {
  const regions = await home.query<{ id: string }>(
    "erasures.reviewed_regions",
    "select distinct region_id as id from tenantry.tenant_databases",
  );
  for (const { id } of regions) await requestReview(home, id);
}

/** The same with one region. */
export async function requestReview(home: Queryable<"home">, regionId: string): Promise<void> {
  await requestJob(home, REQUESTED_BY, onRegion("review-erasures", regionId));
}

/** Does again what one side has forgotten. */
export async function reviewErasures(services: Services, run: JobRun<"review-erasures">): Promise<void> {
  await run.step("compare", async () => {
    const databases = await listTenantDatabases(services);
    const failed: string[] = [];
    let failure: unknown;
    for (const database of databases.filter(({ regionId }) => regionId === run.job.regionId)) {
      run.signal.throwIfAborted();
      try {
        const { forgottenAtHome, forgottenThere } = await compare(services, database);
        for (const erasure of forgottenAtHome) await eraseAgain(services, erasure);
        // A restore has brought the ids back.
        await askAgainIn(services.home, database.id, forgottenThere, {
          requestedBy: REQUESTED_BY,
          eraseSql: services.eraseSql,
        });
      } catch (error) {
        // When the server is away, its other databases are too. A broken database does not stop the review of the others.
        if (isConnectionFailure(error)) throw error;
        failed.push(database.name);
        failure ??= error;
      }
    }
    if (failed.length > 0)
      throw new TenantryError(
        "NOT_SYNCED",
        `The list of erasures could not be read in ${failed.slice(0, 5).join(", ")}: it is tried again.`,
        { cause: failure },
      );
  });
}

/** Where they do not agree, of the databases that can be reached. Reads only. */
export async function findErasureDifferences(
  services: Pick<Services, "border" | "home" | "pools" | "secrets">,
): Promise<ErasureDifference[]> {
  const found: ErasureDifference[] = [];
  await forEachLimit(await listTenantDatabases(services), CONCURRENCY, async (database) => {
    try {
      const difference = await compare(services, database);
      if (difference.forgottenAtHome.length + difference.forgottenThere.length + difference.forged > 0)
        found.push(difference);
    } catch (error) {
      // A server that is away, or a database that is broken, is reported by others. What is home's own fault is not.
      if (sqlState(error) === undefined && !isConnectionFailure(error) && !(error instanceof TenantryError))
        throw error;
    }
  });
  return found.toSorted((one, other) => one.databaseId - other.databaseId);
}

async function compare(
  services: Pick<Services, "border" | "home" | "pools" | "secrets">,
  { id, name, regionId }: TenantDatabaseRecord,
): Promise<ErasureDifference> {
  const address = await regionAddress(services, regionId);
  const expected = new Set(await listExpected(services.home, id));
  const difference: ErasureDifference = {
    databaseId: id,
    database: name,
    forgottenAtHome: [],
    forgottenThere: [],
    forged: 0,
  };
  await services.pools.visit("tenant", address, name, async (session) => {
    for await (const { lines, forged } of readLedger(session, services.border)) {
      difference.forged += forged;
      const known = await listKnown(
        services.home,
        lines.map(({ userId }) => userId),
      );
      for (const { userId, id: erasureId, done } of lines) {
        if (!known.has(userId)) difference.forgottenAtHome.push({ userId, id: erasureId });
        if (done) expected.delete(userId);
      }
    }
  });
  difference.forgottenThere = [...expected];
  return difference;
}

/** Whose erasure home takes for done in the database. One that was made later has no line of it. */
async function listExpected(home: Queryable<"home">, databaseId: number): Promise<string[]> {
  const rows = await home.query<{ userId: string }>(
    "erasures.expected",
    `select e.user_id as "userId" from tenantry.erasures e
     join tenantry.tenant_databases d on d.id = $1 and d.made_at < e.erased_at
     where e.erased_at > now() - interval '${KEPT_DAYS - 1} days'
       and not exists (select from tenantry.erasures_due due where due.user_id = e.user_id and due.database_id = d.id)`,
    [databaseId],
  );
  return rows.map(({ userId }) => userId);
}

async function listKnown(home: Queryable<"home">, userIds: readonly string[]): Promise<Set<string>> {
  const rows = await home.query<{ id: string }>(
    "erasures.known",
    "select user_id as id from tenantry.erasures where user_id = any($1::uuid[])",
    [userIds],
  );
  return new Set(rows.map(({ id }) => id));
}

const BY_JOB: CallSource = { who: "OPERATOR", whoId: null, via: "JOB", address: null, userAgent: null };

/** The user may be unknown at home by now, and may still have left an id somewhere. */
async function eraseAgain(
  services: Pick<Services, "eraseSql" | "home" | "logger">,
  { userId, id }: Erasure,
): Promise<void> {
  const { home, eraseSql } = services;
  const what = { ...NOTHING, subjectKind: "USER", subjectId: userId };
  await recorded(services, { callSource: BY_JOB, action: "eraseUser", what }, () =>
    home.transaction(async (transaction) => {
      await eraseUserAtHome({ home: transaction }, userId).catch((error: unknown) => {
        if (!(error instanceof TenantryError) || error.code !== "NOT_FOUND") throw error;
      });
      await requestErasure(transaction, { userId, id, requestedBy: REQUESTED_BY, eraseSql });
    }),
  );
}
