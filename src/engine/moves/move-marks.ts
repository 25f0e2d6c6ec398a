/**
 * Marks: whoever wants to know that the other database has everything that was committed before now writes a mark into the stream and
 * waits until it has arrived there.
 */
import { MARKS_TABLE } from "#engine/border/moved-tables";
import { sqlState } from "#base/postgres/sql-state";
import type { MoveLink } from "#engine/moves/move-link";

/** A mark's number. Later ones are greater. */
export type Mark = string;

const ATTEMPTS = 5;

/**
 * Writes a mark. Its commit comes after every commit that has been answered before the call. The marks before it go: whoever waits for
 * one of them goes by a later one.
 */
export async function mark({ publisher, number }: Pick<MoveLink, "publisher" | "number">): Promise<Mark> {
  // The WAL's end is sent when it is flushed; a commit that is not waited for is flushed some time later.
  const text = `begin; set local synchronous_commit = 'local';
    with made as (
      insert into ${MARKS_TABLE} (number, mark)
      select ${number}, greatest(coalesce(max(mark), 0) + 1, floor(extract(epoch from clock_timestamp()) * 1000000)::bigint)
      from ${MARKS_TABLE} where number = ${number}
      on conflict do nothing returning mark
    ), gone as (
      delete from ${MARKS_TABLE} where number = ${number} and mark < (select mark from made)
    )
    select mark::text from made;
    commit`;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const results = await publisher.database.session((session) => session.script("moves.mark", text));
    const [row] = results.flat() as { mark?: unknown }[];
    // Another one may have written the same, and not be committed yet.
    if (typeof row?.mark === "string") return row.mark;
  }
  throw new Error("no mark could be written");
}

/** A statement that waits takes so long at most; its connection is free again then. */
const STATEMENT_MS = 1_000;

/**
 * Waits until the mark, or a later one, has arrived; false when the time is over. The server that it arrives at looks by itself, each
 * few milliseconds: it may be far away.
 */
export async function waitForMark(
  { subscriber, number }: Pick<MoveLink, "subscriber" | "number">,
  wanted: Mark,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const leftMs = Math.ceil(deadline - performance.now());
    const results = await subscriber.database.session((session) =>
      session.script("moves.wait_for_mark", waiting(number, wanted, Math.max(0, Math.min(leftMs, STATEMENT_MS)))),
    );
    if (results.flat().some((row) => "reached" in row && row.reached === true)) return true;
    if (leftMs <= STATEMENT_MS) return false;
  }
}

function waiting(number: number, wanted: Mark, ms: number): string {
  return `${awaitingMark(number, wanted, ms, { fails: false })}; select ${isReached(number, wanted)} as reached`;
}

function isReached(number: number, wanted: Mark): string {
  return `exists (select from ${MARKS_TABLE} where number = ${Math.trunc(number)} and mark >= ${BigInt(wanted)})`;
}

/** No state of PostgreSQL's own. */
const NOT_REACHED = "TNMRK";

/** Whether it is what {@link awaitingMark} fails with. */
export function isNotReached(error: unknown): boolean {
  return sqlState(error) === NOT_REACHED;
}

/**
 * A statement that waits in the target until the mark has arrived, to stand in front of others in one message. It fails when the mark
 * has not arrived in time.
 */
export function awaitingMark(number: number, wanted: Mark, ms: number, { fails = true } = {}): string {
  const reached = isReached(number, wanted);
  const failing = `if not ${reached} then raise exception using errcode = '${NOT_REACHED}', message = 'the mark has not arrived'; end if;`;
  // Each look of a DO sees what was committed before it. Its pauses grow, so that one that waits long costs little.
  return `do $wait$ declare
      last timestamptz := clock_timestamp() + interval '${Math.trunc(ms)} ms';
      pause float8 := 0.001;
    begin
      while not ${reached} and clock_timestamp() < last loop
        perform pg_sleep(pause);
        pause := least(pause * 1.05, 0.02);
      end loop;
      ${fails ? failing : ""}
    end $wait$`;
}
