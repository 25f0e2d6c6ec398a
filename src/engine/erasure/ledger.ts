/**
 * The list of erasures in each tenant database: where a restore of home does not take them back. A region's server is not
 * trusted, so each line has a proof that home has made.
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { TenantryError } from "#base/kernel/errors";
import type { Queryable } from "#base/postgres/database";
import type { Border } from "#engine/border/border";
import type { Erasure } from "#engine/erasure/erase-columns";

/** Longer than backups are kept; older lines go. */
export const KEPT_DAYS = 400;

/** A line whose proof is right. */
export type LedgerLine = Erasure & {
  /** Whether the erasure was done in the database. */
  done: boolean;
};

/** What a database says. `forged`: how many lines home has not made. */
export type LedgerPage = { lines: LedgerLine[]; forged: number };

const PAGE_LINES = 1_000;
/** More than a fleet erases in {@link KEPT_DAYS}; a server can answer without end. */
const MAX_PAGES = 1_000;

/** Of lines that home has not made. A server that has more of them is not read to its end. */
const MAX_FORGED = 10_000;
const MAX_PROOF_BYTES = 64;

const rowsSchema = z
  .array(
    z.object({
      userId: z.uuid(),
      id: z.uuid(),
      done: z.boolean(),
      proof: z.instanceof(Buffer).refine(({ length }) => length <= MAX_PROOF_BYTES),
    }),
  )
  .max(PAGE_LINES);

/** Writes that it has begun in the database. */
export async function noteBegun(
  database: Queryable<"tenant">,
  border: Pick<Border, "proofOf">,
  { userId, id }: Erasure,
): Promise<void> {
  await database.query(
    "erasure.note_begun",
    `insert into tenantry.erasures (user_id, id, proof) values ($1, $2, $3)
     on conflict (user_id) do update set id = excluded.id, proof = excluded.proof, done_at = null`,
    [userId, id, proofOf(border, { userId, id })],
  );
}

/** Writes that it is done there, and removes lines that no backup is as old as. */
export async function noteDoneThere(database: Queryable<"tenant">, userId: string): Promise<void> {
  await database.query(
    "erasure.note_done",
    `with old as (
       delete from tenantry.erasures where done_at < now() - interval '${KEPT_DAYS} days' and user_id <> $1
     )
     update tenantry.erasures set done_at = now() where user_id = $1`,
    [userId],
  );
}

/** The lines of a database, a page at a time. REGION_UNAVAILABLE for an answer of another form, or one without end. */
export async function* readLedger(
  database: Queryable<"tenant">,
  border: Pick<Border, "proofOf">,
): AsyncGenerator<LedgerPage> {
  let after = "00000000-0000-0000-0000-000000000000";
  let forged = 0;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await database.query(
      "erasure.read",
      `select user_id as "userId", id, done_at is not null as done, proof from tenantry.erasures
       where user_id > $1 order by user_id limit ${PAGE_LINES}`,
      [after],
    );
    const rows = rowsSchema.safeParse(answer);
    // Without the issues, which repeat what was said.
    if (!rows.success || !isAscending(rows.data, after)) throw strangeAnswer();
    const lines = rows.data.filter((row) => isEqual(row.proof, proofOf(border, row)));
    forged += rows.data.length - lines.length;
    if (forged > MAX_FORGED) throw strangeAnswer();
    yield {
      lines: lines.map(({ userId, id, done }) => ({ userId, id, done })),
      forged: rows.data.length - lines.length,
    };
    const last = rows.data.at(-1)?.userId;
    if (last === undefined || rows.data.length < PAGE_LINES) return;
    after = last;
  }
}

/** Each line once, so that there are no more than users. */
function isAscending(rows: readonly { userId: string }[], after: string): boolean {
  let before = after;
  return rows.every(({ userId }) => {
    const isNext = userId > before;
    before = userId;
    return isNext;
  });
}

function strangeAnswer(): TenantryError {
  return new TenantryError("REGION_UNAVAILABLE", "The server answered with something else than its list of erasures.");
}

function proofOf(border: Pick<Border, "proofOf">, { userId, id }: Erasure): Buffer {
  return border.proofOf(`erasure ${userId} ${id}`);
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
