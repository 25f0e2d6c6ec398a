/** How a database's schema differs from what it should be, in sentences. */
import type { SchemaDescription, SchemaFact } from "#engine/migrations/fingerprint";

/**
 * What `actual` lacks, has too much, or has otherwise; empty when they are equal. A table that is missing or too many is one
 * sentence, not one for each of its columns.
 */
export function diffSchema(expected: SchemaDescription, actual: SchemaDescription): string[] {
  const [wanted, found] = [byKey(expected.facts), byKey(actual.facts)];
  const sentences: string[] = [];
  for (const [key, fact] of wanted) {
    const other = found.get(key);
    if (other === undefined) {
      if (!found.has(ownerKey(fact)) && fact.owner !== "") continue;
      sentences.push(isPart(fact) ? `table ${fact.owner} lacks ${label(fact)}` : `${label(fact)} is missing`);
    } else if (other.definition !== fact.definition) sentences.push(describeChange(fact, other));
  }
  for (const [key, fact] of found) {
    if (wanted.has(key) || (fact.owner !== "" && !wanted.has(ownerKey(fact)))) continue;
    const finding = isPart(fact) ? `table ${fact.owner} has ${label(fact)}` : `there is ${label(fact)}`;
    sentences.push(`${finding}, which is not part of the schema`);
  }
  return sentences;
}

function byKey(facts: readonly SchemaFact[]): Map<string, SchemaFact> {
  return new Map(facts.map((fact) => [`${fact.kind} ${fact.owner}.${fact.name}`, fact]));
}

/** The key of the table that a fact belongs to. */
function ownerKey({ owner }: SchemaFact): string {
  return `table .${owner}`;
}

function isPart({ owner }: SchemaFact): boolean {
  return owner !== "";
}

function label({ kind, name }: SchemaFact): string {
  return `${kind} ${name}`;
}

/** Bodies of functions are too long to be shown: that they differ has to do. */
const SHOWN_LENGTH = 120;

function describeChange(wanted: SchemaFact, actual: SchemaFact): string {
  const what = isPart(wanted) ? `${label(wanted)} of table ${wanted.owner}` : label(wanted);
  if (wanted.definition.length > SHOWN_LENGTH || actual.definition.length > SHOWN_LENGTH)
    return `${what} is defined otherwise`;
  const shown = ({ definition }: SchemaFact) => (definition === "" ? "plain" : `"${definition}"`);
  return `${what} is ${shown(actual)} in place of ${shown(wanted)}`;
}
