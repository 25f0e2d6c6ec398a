/**
 * Statements that give a part of a GraphQL answer as JSON text, ready to be sent: a row with its organization and pages of
 * what belongs to it is one row with one column, from one database. Joining text is the cheapest way that PostgreSQL has to
 * build JSON, and costs this process nothing at all. Which tables and columns there are is said by declarations of shapes.
 */
import type { Holds } from "#api/graphql/shapes/fields";
import type { Member } from "#engine/routing/region-text";

/** The name of the object's type. */
export type TypeName = { readonly kind: "type"; readonly type: string };

/**
 * Text that is in the statement as it is, or an expression of type text. That is null unless `holds` does, a condition that
 * is left out where it cannot be.
 */
export type Piece = { readonly literal: string } | { readonly sql: string; readonly holds?: string };

/**
 * Whether a moment can be written as the API writes them; api/graphql/types/date-time.ts has the same years. PostgreSQL
 * stores others, and infinity: then the text is null, and the ordinary way says which field it is.
 */
const isShown = (sql: string) => `(${sql} >= '0001-01-01 00:00:00Z' and ${sql} < '10000-01-01 00:00:00Z')`;

/** In milliseconds and UTC, as the API shows every time. */
export const time = (sql: string): Piece[] => {
  const text = `to_char(${sql} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
  return [
    { literal: '"' },
    { sql: `case when ${isShown(sql)} then ${text} end`, holds: isShown(sql) },
    { literal: '"' },
  ];
};
export const uuid = (sql: string): Piece[] => [{ literal: '"' }, { sql: `${sql}::text` }, { literal: '"' }];
export const string = (sql: string): Piece[] => [{ sql: `to_json(${sql})::text` }];
/** Numbers without a fraction, and booleans: PostgreSQL writes them as JSON does. */
const plain = (sql: string): Piece[] => [{ sql: `${sql}::text` }];
/** As base/kernel/page.ts makes it. A UUID's text has no character that the two alphabets write differently. */
export const cursor = (sql: string): Piece[] => [
  { literal: '"' },
  { sql: `encode(${sql}::text::bytea, 'base64')` },
  { literal: '"' },
];
export const typeName = ({ type }: TypeName): Piece[] => [{ literal: JSON.stringify(type) }];

const WRITERS: Readonly<Record<Holds, (sql: string) => Piece[]>> = {
  uuid,
  text: string,
  int: plain,
  boolean: plain,
  time,
};

/** A column's value as JSON. */
export function columnText({ holds, nullable }: { holds: Holds; nullable: boolean }, sql: string): Piece[] {
  const pieces = WRITERS[holds](sql);
  return nullable ? [unlessNull(sql, pieces)] : pieces;
}

/** The pieces, or `null` where the expression is. */
export function unlessNull(sql: string, pieces: readonly Piece[]): Piece {
  const holds = conditionOf(pieces);
  return {
    sql: `case when ${sql} is null then 'null' else ${join(pieces)} end`,
    ...(holds !== undefined && { holds: `(${sql} is null or ${holds})` }),
  };
}

export function object<Value>(members: readonly Member<Value>[], pieces: (value: Value) => Piece[]): Piece[] {
  return [
    { literal: "{" },
    ...members.flatMap(({ name, value }, index) => [
      { literal: `${index === 0 ? "" : ","}${JSON.stringify(name)}:` },
      ...pieces(value),
    ]),
    { literal: "}" },
  ];
}

/** The pieces as one expression; null when one of them is. */
export function join(pieces: readonly Piece[]): string {
  const parts: string[] = [];
  let literal = "";
  const flush = () => {
    if (literal !== "") parts.push(`'${literal.replaceAll("'", "''")}'`);
    literal = "";
  };
  for (const piece of pieces) {
    if ("literal" in piece) literal += piece.literal;
    else {
      flush();
      parts.push(piece.sql);
    }
  }
  flush();
  return parts.join(" || ");
}

/** What must hold for the pieces to have a text; undefined: nothing. */
export function conditionOf(pieces: readonly Piece[]): string | undefined {
  const conditions = pieces.flatMap((piece) => ("holds" in piece && piece.holds !== undefined ? [piece.holds] : []));
  return conditions.length === 0 ? undefined : `(${conditions.join(" and ")})`;
}

export const orNull = (pieces: readonly Piece[]): Piece[] => [{ sql: `coalesce(${join(pieces)}, 'null')` }];

/** Numbers parameters as they are used. */
export class Parameters<Input> {
  readonly #numbers = new Map<string, number>();
  readonly #values: ((input: Input) => unknown)[] = [];

  of(key: string, value: (input: Input) => unknown): string {
    const number = this.#numbers.get(key) ?? this.#values.push(value);
    this.#numbers.set(key, number);
    return `$${number}`;
  }

  values(): (input: Input) => unknown[] {
    const values = [...this.#values];
    return (input) => values.map((value) => value(input));
  }
}
