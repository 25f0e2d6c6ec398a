/**
 * Follows a log: reads what a snapshot of before does not show, whenever somebody says that there is something. So it is the
 * same whether an event comes at once, late, after the connection was cut, or to another process: the log is the truth, and a
 * notification only says when to look.
 */
import type { SecretBox } from "#base/kernel/secret-box";
import { TenantryError } from "#base/kernel/errors";
import { readingFrom } from "#base/kernel/event-stream";
import { Wakeup } from "#base/kernel/wakeup";
import { explainToCaller } from "#engine/failures/explain";
import { type Arrival, type Entry, eventsGone, fromCursor, type Position, toCursor } from "#engine/events/position";

/** How long events are kept for who comes back. */
export const KEPT_MS = 60 * 60_000;
/** The most entries of one organization that are looked through for who comes back, or reads slowly. */
export const MAX_WAITING = 10_000;
/** Entries that are read at once. */
export const BATCH = 200;
/** Looked at without being told, too: the word about what was written can be lost with the process that wrote it. */
const LOOK_MS = 30_000;

/** Pause before a server that was away is asked again. */
const AWAY_MS = 1_000;

export type Reading = {
  /** By the clock of the log's server, in milliseconds since 1970. */
  at: number;
  history: string;
  snapshot: string;
  /** There are more than {@link MAX_WAITING}. */
  isTooMuch: boolean;
  /** At most {@link BATCH}, in the order of their transactions and ids. */
  entries: Entry[];
  /**
   * The position is of the server where the placement was before. Then the entries are all that were written there behind it, and
   * it goes on behind the arrival.
   */
  arrival?: Arrival;
};

/** A log of one organization. */
export type Log = {
  /** What is behind the position. With null: nothing, but where the log stands. Throws when the actor may not read it. */
  read: (position: Position | null) => Promise<Reading>;
  /** Calls back when there may be something new, until the returned function is called. */
  hear: (wake: () => void) => Promise<() => void>;
};

/** An event, and the cursor with which somebody goes on behind it. */
export type Followed<Event> = { event: Event; cursor: string };

type Options<Event> = {
  /** What is followed: a cursor is good for that alone. */
  about: string;
  /** Null: from now on. */
  after: string | null;
  /** What is told of an entry; undefined: nothing. Throws, which ends it all, when the actor may not see it (any more). */
  show: (entry: Entry) => Promise<Event | undefined>;
};

/**
 * Every event after a cursor, or from now on. Throws before anything is followed, or in the middle: EVENTS_GONE where too
 * much or too long ago happened to be told, INVALID_INPUT for a cursor of something else, and what `read` and `show` throw.
 */
export async function followLog<Event>(
  { secrets }: { secrets: SecretBox },
  log: Log,
  { about, after, show }: Options<Event>,
): Promise<AsyncIterableIterator<Followed<Event>>> {
  const begin = after === null ? null : fromCursor(secrets, after, about);
  const wakeup = new Wakeup();
  let isOver = false;
  // Heard first: what is written between the first look and hearing would be told late.
  const unhear = await log.hear(() => wakeup.wake());
  const end = () => {
    isOver = true;
    unhear();
    wakeup.wake();
  };
  try {
    // Here, so that somebody who may not follow or has stayed away too long is refused before the stream begins.
    let batch = await readBatch(log, begin);
    const tell = async function* (): AsyncGenerator<Followed<Event>> {
      try {
        while (!isOver) {
          for (const { entry, position } of batch.entries) {
            const event = await untilThere(() => show(entry));
            if (event !== undefined) yield { event, cursor: toCursor(secrets, position, about) };
          }
          if (batch.isLast) await wakeup.sleep(LOOK_MS);
          const { next } = batch;
          batch = await untilThere(() => readBatch(log, next));
        }
      } finally {
        end();
      }
    };
    // The position waits for a server that is away, so nothing is lost by waiting too.
    const untilThere = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      for (;;)
        try {
          return await work();
        } catch (error) {
          const pauseMs = pauseAfter(error);
          if (isOver || pauseMs === undefined) throw error;
          // Whatever is said meanwhile: it is not to be asked more often.
          const until = performance.now() + pauseMs;
          for (let left = pauseMs; left > 0 && !isOver; left = until - performance.now()) await wakeup.sleep(left);
        }
    };
    const stopping = () => {
      end();
      return Promise.resolve({ value: undefined, done: true as const });
    };
    return readingFrom({ return: stopping }, tell());
  } catch (error) {
    end();
    throw error;
  }
}

/** Undefined: it is not a server that is away, nor somebody who has asked for much in a short time, so waiting does not help. */
function pauseAfter(error: unknown): number | undefined {
  const known = error instanceof TenantryError ? error : explainToCaller(error);
  if (known?.retryAfterSeconds !== undefined) return known.retryAfterSeconds * 1_000;
  return known?.code === "REGION_UNAVAILABLE" || known?.code === "HOME_UNAVAILABLE" ? AWAY_MS : undefined;
}

type Batch = {
  entries: { entry: Entry; position: Position }[];
  /** The position behind all of it. */
  next: Position;
  /** There is nothing more for now. */
  isLast: boolean;
};

/** The entries behind a position, each with the position behind itself. With null: none, and where the log stands. */
async function readBatch(log: Log, from: Position | null): Promise<Batch> {
  const reading = await log.read(from);
  if (from !== null && reading.arrival !== undefined) return behindArrival(reading, from, reading.arrival);
  if (from !== null && isGone(reading, from)) throw eventsGone();
  const { at, history, snapshot, entries } = reading;
  // What was begun under a later snapshot is finished under it.
  const shown = from?.part ?? { at, history, snapshot };
  const seen: Position = {
    at: shown.at,
    seen: { history: shown.history, snapshot: shown.snapshot },
    part: null,
  };
  const behind = ({ xact, id }: Entry): Position =>
    from === null
      ? seen
      : {
          ...from,
          part: { at: shown.at, history: shown.history, snapshot: shown.snapshot, xact, id },
        };
  const isFull = entries.length === BATCH;
  const positions = entries.map((entry, index) => ({
    entry,
    position: !isFull && index === entries.length - 1 ? seen : behind(entry),
  }));
  const last = entries.at(-1);
  return {
    entries: positions,
    next: isFull && last !== undefined ? behind(last) : seen,
    // A part that is finished is behind a snapshot of long ago.
    isLast: !isFull && (from === null || from.part === null),
  };
}

/** Somebody who goes away in the middle of them is told them again. */
function behindArrival({ history, at, isTooMuch, entries }: Reading, from: Position, arrival: Arrival): Batch {
  if (isTooMuch || at - from.at > KEPT_MS) throw eventsGone();
  const next: Position = { at: arrival.at, seen: { history, snapshot: arrival.snapshot }, part: null };
  const positions = entries.map((entry, index) => ({ entry, position: index === entries.length - 1 ? next : from }));
  return { entries: positions, next, isLast: false };
}

function isGone({ at, history, isTooMuch }: Reading, { at: seenAt, seen, part }: Position): boolean {
  const known = [seen?.history, part?.history].filter((one) => one !== undefined);
  return isTooMuch || at - seenAt > KEPT_MS || known.some((one) => one !== history);
}
