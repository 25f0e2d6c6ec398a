/** What is said where another home owns a region's server or a database (engine/regions/ownership.ts). */
import { TenantryError } from "#base/kernel/errors";
import type { Marks } from "#engine/regions/mark";

/** Another home owns what was to be written. */
export class NotOwner extends TenantryError {
  constructor(sentence: string) {
    super("CONFLICT", sentence);
    this.name = "NotOwner";
  }
}

/** What a region's server says is no caller's to read. */
export function rethrowForCaller(error: unknown): never {
  if (error instanceof TenantryError && !(error instanceof NotOwner))
    throw new TenantryError(error.code, "The region's server refused what Tenantry needs there.", { cause: error });
  throw error;
}

export function rethrowRefusal(error: unknown): void {
  if (error instanceof NotOwner) throw error;
}

/** Says whose `what` is, by the marks that stand there, to the home that is `owner`. */
export function refusalOf(what: string, { mark, text, foreign }: Marks, { owner }: { owner: string }): NotOwner {
  const [first = ""] = what;
  const subject = `${first.toUpperCase()}${what.slice(1)}`;
  const after = "Nothing is read or written there until the operator decides with tenantry adopt.";
  if (mark?.owner === owner)
    return new NotOwner(`${subject} follows a later state of this home, which took over from this one. ${after}`);
  if (text !== null && mark === undefined)
    return new NotOwner(`${subject} has a mark that this program cannot read. ${after}`);
  const whose = mark === undefined ? `tenant databases of another home (${foreign[0]})` : undefined;
  return new NotOwner(
    `${subject} ${whose === undefined ? "belongs to another home" : `has ${whose}`}: this home is a copy of that one, or was replaced by it. ${after}`,
  );
}
