/** The name among `names` that was most likely meant; undefined when none is close. */
export function nearestName(given: string, names: Iterable<string>): string | undefined {
  const written = plainOf(given);
  let best: { name: string; distance: number } | undefined;
  for (const name of names) {
    const distance = editDistance(written, plainOf(name));
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, written.length / 4) ? best.name : undefined;
}

/** What counts of a name: underscores are what people forget. */
function plainOf(name: string): string {
  return name
    .toUpperCase()
    .replace(/^TENANTRY_?/, "")
    .replaceAll("_", "");
}

/** How many letters must be put in, taken out or replaced. */
function editDistance(one: string, other: string): number {
  let before = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const replaced = (before[column - 1] ?? 0) + (one[row - 1] === other[column - 1] ? 0 : 1);
      line.push(Math.min(replaced, (before[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1));
    }
    before = line;
  }
  return before[other.length] ?? 0;
}
