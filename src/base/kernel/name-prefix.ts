/**
 * Finds names by how they begin, in upper or lower case. A database's `lower` depends on its locale, and under "C" knows only
 * A to Z. So each character is written with its other cases here, and PostgreSQL compares code points.
 */

/** A regular expression of PostgreSQL, for `~` under the collation "C": the names that begin with `prefix`, whatever its case. */
export function namePrefixPattern(prefix: string): string {
  return `^${[...prefix].map(anyCase).join("")}`;
}

function anyCase(character: string): string {
  const cases = [character, character.toLowerCase(), character.toUpperCase()];
  // "ß" is "SS" in upper case: what is more than one character is no other case of this one.
  const codes = new Set(cases.filter((one) => [...one].length === 1).map(escaped));
  return codes.size === 1 ? [...codes].join("") : `[${[...codes].join("")}]`;
}

/** By number: a dot or a bracket means itself then, and inside brackets as outside. */
function escaped(character: string): string {
  return `\\U${(character.codePointAt(0) ?? 0).toString(16).padStart(8, "0")}`;
}
