/**
 * An export that is older than an erasure has the person's id, and what erase.sql has erased. An import of it does such erasures
 * again, in the database that it writes into.
 */
import type { ServerAddress } from "#base/postgres/connection-url";
import type { Queryable, Session } from "#base/postgres/database";
import { type Erasure, eraseColumns, findPresent } from "#engine/erasure/erase-columns";
import { eraseByTeam } from "#engine/erasure/erase-everywhere";
import { askAgainIn, noteDone } from "#engine/erasure/erasure-record";
import type { OwnedPieces } from "#engine/regions/owned-pieces";
import type { Services } from "#engine/services";
import type { TenantTable } from "#engine/tables";

/** An erasure that was asked for so long before the export may not have been done yet when that was made. */
const MARGIN_DAYS = 30;

/** `asked`: which asking for it in the database is the import's. */
type ExpectedErasure = Erasure & { asked: string };

/** A tenant database that is imported into. */
type Target = { databaseId: number; name: string; address: ServerAddress; owned: OwnedPieces };

/**
 * Notes, before anything is written, what the database has to be looked at for again: also where the import ends in the middle,
 * the jobs find it. Returns the erasures since the export.
 */
export async function expectErasures(
  { home, eraseSql }: Pick<Services, "eraseSql" | "home">,
  databaseId: number,
  exportedAt: string,
  requestedBy: string,
): Promise<ExpectedErasure[]> {
  const erasures = await listSince(home, exportedAt);
  const userIds = erasures.map(({ userId }) => userId);
  const asked = await askAgainIn(home, databaseId, userIds, { requestedBy, eraseSql });
  return erasures.map(({ userId, id }) => ({ userId, id, asked: asked.get(userId) ?? "" }));
}

/** Erases what was imported. The jobs, which have waited, go on from there. */
export async function eraseImported(
  services: Pick<Services, "eraseSql" | "home" | "pools">,
  { databaseId, name, address, owned }: Target,
  tables: readonly TenantTable[],
  erasures: readonly ExpectedErasure[],
): Promise<void> {
  if (erasures.length === 0) return;
  const visit = <Result>(work: (session: Session<"tenant">) => Promise<Result>) =>
    services.pools.visit("tenant", address, name, work);
  const userIds = erasures.map(({ userId }) => userId);
  const present = await visit((session) => findPresent(session, tables, userIds));
  for (const erasure of erasures) {
    await eraseByTeam(services, erasure, visit, owned);
    if (present.has(erasure.userId)) await visit((session) => eraseColumns(session, tables, erasure, owned));
    else if (services.eraseSql === undefined)
      await noteDone(services.home, erasure.userId, { databaseId, asked: erasure.asked });
  }
}

function listSince(home: Queryable<"home">, exportedAt: string): Promise<Erasure[]> {
  return home.query<Erasure>(
    "erasures.since",
    `select user_id as "userId", id from tenantry.erasures
     where erased_at > $1::timestamptz - interval '${MARGIN_DAYS} days' order by user_id`,
    [exportedAt],
  );
}
