/**
 * The rows of a placement that moves: they are written for the database that it moves to, and no other rows pass. The source's
 * administrator is not trusted: the target may hold other organizations' rows, and the stream's own rows are all that it may write
 * there.
 */
import { isUuid, placementNumberOf } from "#base/kernel/ids";
import { Breach } from "#engine/border/protocol/breach";

export type MovedRows = {
  /** The number of the database that publishes, and of the one that subscribes, which takes its place in the rows. */
  readonly from: number;
  readonly into: number;
  readonly organizationId: string;
  /** The placement's own number. */
  readonly number: number;
  /** The numbers that its rows' ids may lead to: its own, and those that it has adopted. */
  readonly numbers: ReadonlySet<number>;
};

/** What a column says of its row: which values it may have, and what becomes of them. */
export type Role = "database" | "organization" | "id" | "number";

/** By the position of each column of a table as it was announced. */
export type Roles = readonly (Role | undefined)[];

/** A table whose rows say whose they are, by these columns. Without `roles` none of its rows belong to a move. */
export type MovedTable = { readonly from: string; readonly roles?: Readonly<Record<string, Role>> };

/** The columns that must have certain values, as they were announced. Throws {@link Breach} where one is missing. */
export function rolesOf({ from, roles = {} }: MovedTable, columns: readonly string[]): Roles {
  const missing = Object.keys(roles).filter((column) => !columns.includes(column));
  if (missing.length > 0 || Object.keys(roles).length === 0)
    throw new Breach("malformed", `the table ${from} was announced without what says whose its rows are`);
  return columns.map((column) => (Object.hasOwn(roles, column) ? roles[column] : undefined));
}

/** Throws {@link Breach} on a value, in PostgreSQL's own spelling, that no row of the placement has. */
export function requireValue(moved: MovedRows, role: Role, value: Buffer): void {
  const text = value.length > MAX_LENGTH ? "" : value.toString("latin1");
  if (!IS_ALLOWED[role](moved, text)) throw new Breach("row-refused", REASONS[role]);
}

/** A UUID has 36. */
const MAX_LENGTH = 36;

const IS_ALLOWED: Record<Role, (moved: MovedRows, text: string) => boolean> = {
  database: ({ from }, text) => text === String(from),
  organization: ({ organizationId }, text) => text === organizationId,
  id: ({ numbers }, text) => isUuid(text) && numbers.has(placementNumberOf(text)),
  number: ({ number }, text) => text === String(number),
};

const REASONS: Record<Role, string> = {
  database: "a row of another database was sent",
  organization: "a row of another organization was sent",
  id: "a row was sent whose id leads to another placement",
  number: "a mark of another placement was sent",
};
