/** How a database's schema differs from what it should be, in sentences. */
import type { SchemaDescription, SchemaFact } from "#engine/migrations/fingerprint";

/**
 * What `actual` lacks, has too much, or has otherwise; empty when they are equal. A table that is missing or too many is one
 * sentence, not one for each of its columns.
 */
export function diffSchema(expected: SchemaDescription, actual: SchemaDescription): string[] {
  const [wanted, found] = [byKey(expected.facts), byKey(actual.facts)];
  const [owners, ownersFound] = [ownersIn(expected.facts), ownersIn(actual.facts)];
  const sentences: string[] = [];
  for (const [key, fact] of wanted) {
    const other = found.get(key);
    const owner = owners.get(fact.owner);
    if (other === undefined) {
      if (fact.owner !== "" && !ownersFound.has(fact.owner)) continue;
      sentences.push(owner === undefined ? `${label(fact)} is missing` : `${owner} lacks ${label(fact)}`);
    } else if (other.definition !== fact.definition) sentences.push(describeChange(fact, other, owner));
  }
  for (const [key, fact] of found) {
    if (wanted.has(key) || (fact.owner !== "" && !owners.has(fact.owner))) continue;
    const owner = owners.get(fact.owner);
    sentences.push(
      `${owner === undefined ? "there is" : `${owner} has`} ${label(fact)}, which is not part of the schema`,
    );
  }
  return sentences.map((sentence) => sentence.slice(0, MAX_LENGTH));
}

/** A region's server can say anything. */
const MAX_LENGTH = 500;

function byKey(facts: readonly SchemaFact[]): Map<string, SchemaFact> {
  return new Map(facts.map((fact) => [`${fact.kind} ${fact.owner}.${fact.name}`, fact]));
}

/** What others belong to, by its name: how it is called in a sentence. */
function ownersIn(facts: readonly SchemaFact[]): Map<string, string> {
  return new Map(facts.flatMap((fact) => (fact.owner === "" ? [[fact.name, label(fact)]] : [])));
}

function label({ kind, name }: Pick<SchemaFact, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** Bodies of functions are too long to be shown: that they differ has to do. */
const SHOWN_LENGTH = 120;

function describeChange(wanted: SchemaFact, actual: SchemaFact, owner: string | undefined): string {
  const what = owner === undefined ? label(wanted) : `${label(wanted)} of ${owner}`;
  if (wanted.definition.length > SHOWN_LENGTH || actual.definition.length > SHOWN_LENGTH)
    return `${what} is defined otherwise`;
  const shown = ({ definition }: SchemaFact) => (definition === "" ? "plain" : `"${definition}"`);
  return `${what} is ${shown(actual)} in place of ${shown(wanted)}`;
}
