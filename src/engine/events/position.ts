/**
 * How far somebody who follows a log of events has come. Ids and moments are no measure of that: they are made before their
 * transaction commits, so a smaller one may become visible after a larger one. A snapshot of PostgreSQL is one: it says of each
 * transaction whether it was seen. What it does not show, and a later snapshot does, is what is new, neither less nor more.
 */
import { z } from "zod";
import { invalidInput, TenantryError } from "#base/kernel/errors";
import type { SecretBox } from "#base/kernel/secret-box";

/** Longer than that of a server with thousands of transactions at once. */
const snapshot = z
  .string()
  .max(100_000)
  .regex(/^\d{1,20}:\d{1,20}:(\d{1,20}(,\d{1,20})*)?$/);
/** The server's system identifier and timeline: numbers of transactions say nothing to another history. */
const history = z.string().regex(/^-?\d{1,19}\/[0-9A-F]{8}$/);
const moment = z.number().int();
const digits = z.string().regex(/^\d{1,20}$/);

const position = z.object({
  /** When its snapshot was taken, in milliseconds since 1970 by the clock of that server. */
  at: moment,
  /** Null: where no snapshot was taken yet, but everything after `at` is wanted. */
  seen: z.object({ history, snapshot }).nullable(),
  /** What a later snapshot shows besides was told up to an entry, in the order of transactions and ids. */
  part: z
    .object({
      at: moment,
      history,
      snapshot,
      xact: digits,
      id: z.union([digits, z.guid()]),
    })
    .nullable(),
});
export type Position = z.infer<typeof position>;

/** What a server says of its entries. A region's may say anything. */
export const reading = z.object({ at: moment, history, snapshot, isTooMuch: z.boolean() });
/** Whence a placement came that the log is about, and a snapshot of here that shows all of its entries of there. */
export const arrivals = z.array(z.object({ history, snapshot, at: moment })).max(1_000);
export type Arrival = z.infer<typeof arrivals>[number];
export const entry = z.object({
  xact: digits,
  id: z.union([digits, z.guid()]),
  subjectId: z.guid(),
  kind: z.enum(["CREATED", "UPDATED", "DELETED"]),
});
export type Entry = z.infer<typeof entry>;

/** Everything that happens after a moment, and perhaps what happened shortly before it. */
export function since(at: number): Position {
  return { at: Math.floor(at), seen: null, part: null };
}

/** A cursor that begins any subscription, and one that goes on with the subscription `about`. */
const ANY = "events";
const contextOf = (about: string) => `events of ${about}`;

/**
 * The position as a text that says nothing to others: it shows how much a server writes for all its databases. Without
 * `about` it is good for any subscription.
 */
export function toCursor(secrets: SecretBox, at: Position, about?: string): string {
  return secrets.seal(JSON.stringify(at), about === undefined ? ANY : contextOf(about)).toString("base64url");
}

/** INVALID_INPUT for a text that {@link toCursor} has not made for the subscription. */
export function fromCursor(secrets: SecretBox, cursor: string, about: string): Position {
  const sealed = Buffer.from(cursor, "base64url");
  for (const context of [contextOf(about), ANY])
    try {
      return position.parse(JSON.parse(secrets.open(sealed, context)));
    } catch {
      // Another's, or none.
    }
  throw invalidInput("after", "after is not a cursor of this subscription.");
}

/** What was asked for cannot be told any more. */
export function eventsGone(): TenantryError {
  return new TenantryError(
    "EVENTS_GONE",
    "What happened since cannot be told one by one any more: read the list anew, and follow from there without the old cursor.",
  );
}
