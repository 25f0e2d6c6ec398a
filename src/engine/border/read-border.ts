/** The border as the operator reads it: what may cross, what crossed, what was refused. */
import { authorizeOperator } from "#engine/auth/policy";
import type { Actor } from "#engine/auth/actor";
import { MIN_AGE_DAYS } from "#base/postgres/append-only";
import { flowsOf } from "#engine/border/flows";
import { type BorderFlow, mayCross } from "#engine/border/may-cross";
import { type PrunedLedger, pruneLedger } from "#engine/border/ledger/prune";
import {
  type BorderCrossing,
  type BorderRefusal,
  type CrossingFilter,
  readCrossings,
  readDaySums,
  readRefusals,
} from "#engine/border/ledger/read-ledger";
import { countReplicatedVersions } from "#engine/home/replicated-databases";
import type { Placement } from "#engine/home/placements";
import { invalidInput } from "#base/kernel/errors";
import type { Page, PageRequest } from "#base/kernel/page";
import { validRegionKey } from "#base/kernel/validation";
import { databaseName, type StreamKind } from "#engine/replication/names";
import { totalOf } from "#engine/migrations/schema-version";
import type { Services } from "#engine/services";

export type { BorderFlow } from "#engine/border/may-cross";
export { crossingKey, isCrossingKey } from "#engine/border/ledger/read-ledger";

/** With the database's name on its server. */
export type NamedCrossing = BorderCrossing & { database: string };
export type NamedRefusal = BorderRefusal & { database: string | null };

/** `newerDatabases`: how many tenant databases are of a version that this program does not know. */
export type MayCross = { flows: BorderFlow[]; newerDatabases: number };

const DAY_MS = 24 * 60 * 60_000;
/** Longer than there will be a ledger; PostgreSQL's dates end somewhere too. */
const MAX_DAYS = 36_500;
const MAX_DATABASE_ID = 0x7f_ff_ff_ff;

/** What may cross between home and the tenant databases that there are, and those that will be made. For the operator. */
export async function readMayCross(services: Pick<Services, "home" | "tables">, actor: Actor): Promise<MayCross> {
  authorizeOperator(actor);
  const { tables } = services;
  const made = await countReplicatedVersions(services);
  const versions = [...made, { schemaVersion: tables.latest, migratingTo: null, databases: 0 }].map(
    ({ schemaVersion, migratingTo, databases }) => ({
      schemaVersion: totalOf(schemaVersion ?? tables.latest),
      databases,
      flows: flowsOf(tables, { schemaVersion, migratingTo }),
    }),
  );
  return {
    flows: mayCross(versions.flatMap(({ flows, ...version }) => (flows === undefined ? [] : [{ ...version, flows }]))),
    newerDatabases: versions
      .filter(({ flows }) => flows === undefined)
      .reduce((count, { databases }) => count + databases, 0),
  };
}

/** A page of what crossed, newest day first, for the operator. INVALID_INPUT on a filter that makes no sense. */
export async function readCrossed(
  services: Pick<Services, "home" | "installation">,
  actor: Actor,
  filter: CrossingFilter,
  page: PageRequest,
): Promise<Page<NamedCrossing>> {
  authorizeOperator(actor);
  const { rows, ...ends } = await readCrossings(services.home, validFilter(filter), page);
  const { installation } = services;
  return {
    rows: rows.map((row) => Object.assign(row, { database: databaseName(installation, row.databaseId) })),
    ...ends,
  };
}

/** A page of what crossed to and from a placement's own database; nothing of one that others share. The caller has checked who asks. */
export async function readCrossedOf(
  services: Pick<Services, "home">,
  { databaseId, database, isolation }: Pick<Placement, "databaseId" | "database" | "isolation">,
  page: PageRequest,
): Promise<Page<NamedCrossing>> {
  if (isolation === "SHARED") return { rows: [], hasNextPage: false, hasPreviousPage: false };
  const { rows, ...ends } = await readCrossings(services.home, { databaseId }, page);
  return { rows: rows.map((row) => Object.assign(row, { database })), ...ends };
}

/** What crossed on one day, in one direction to or from one region. */
export type BorderDay = {
  day: string;
  regionKey: string;
  /** Of moves: the region that they went to. */
  toRegionKey: string | null;
  direction: StreamKind;
  rows: number;
  bytes: number;
};

const MAX_DAYS_OF_SUMS = 90;

/** The sums of days up to `days` ago (1: today), newest first, for the operator. INVALID_INPUT for more than 90. */
export async function readBorderDays(
  services: Pick<Services, "home">,
  actor: Actor,
  { days, regionKey }: { days: number; regionKey: string | null },
): Promise<BorderDay[]> {
  authorizeOperator(actor);
  if (!(Number.isInteger(days) && days >= 1 && days <= MAX_DAYS_OF_SUMS))
    throw invalidInput("days", `days must be between 1 and ${MAX_DAYS_OF_SUMS}.`);
  const key = regionKey === null ? null : validRegionKey("regionKey", regionKey);
  return readDaySums(services.home, { days, regionKey: key });
}

/** A page of what was refused, newest first, for the operator. INVALID_INPUT on days that make no sense. */
export async function readRefused(
  services: Pick<Services, "home" | "installation">,
  actor: Actor,
  filter: Pick<CrossingFilter, "days">,
  page: PageRequest,
): Promise<Page<NamedRefusal>> {
  authorizeOperator(actor);
  const { rows, ...ends } = await readRefusals(services.home, validFilter(filter), page);
  const nameOf = (id: number | null) => (id === null ? null : databaseName(services.installation, id));
  return { rows: rows.map((row) => Object.assign(row, { database: nameOf(row.databaseId) })), ...ends };
}

/**
 * Removes the ledger's rows from before a moment. INVALID_INPUT for one less than {@link MIN_AGE_DAYS} days ago, as with the
 * audit log. Run again it goes on where it was.
 */
export async function pruneBorderLedger(services: Pick<Services, "home">, before: Date): Promise<PrunedLedger> {
  if (!(before.getTime() <= Date.now() - MIN_AGE_DAYS * DAY_MS))
    throw invalidInput("before", `before must be a moment at least ${MIN_AGE_DAYS} days ago.`);
  return pruneLedger(services.home, before);
}

function validFilter({ regionKey, databaseId, days }: CrossingFilter): CrossingFilter {
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= MAX_DAYS))
    throw invalidInput("days", `days must be between 1 and ${MAX_DAYS.toLocaleString("en")}.`);
  if (databaseId !== undefined && !(Number.isInteger(databaseId) && databaseId >= 1 && databaseId <= MAX_DATABASE_ID))
    throw invalidInput("databaseId", "databaseId is not the number of a tenant database.");
  return {
    ...(days !== undefined && { days }),
    ...(databaseId !== undefined && { databaseId }),
    ...(regionKey !== undefined && { regionKey: validRegionKey("regionKey", regionKey) }),
  };
}
