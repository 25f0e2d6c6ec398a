/**
 * Filters stand in the address as plain text (`?state=FAILED&kind=move`), so that it can be read, written by hand and
 * sent to a colleague. Each page narrows what it takes; anything else is left out.
 */
export type SearchValues = Record<string, string | undefined>;

export function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

export function stringifySearch(values: Record<string, unknown>): string {
  const given = Object.entries(values).filter(([, value]) => typeof value === "string" && value !== "");
  const text = new URLSearchParams(given as [string, string][]).toString();
  return text === "" ? "" : `?${text}`;
}

/** A page's filters: free text, or one of some words. Usage: `validateSearch: filters({ search: "text", state: STATES })`. */
export function filters<const Shape extends Record<string, "text" | readonly string[]>>(shape: Shape) {
  return (given: Record<string, unknown>): FiltersOf<Shape> => {
    const taken: SearchValues = {};
    for (const [key, kind] of Object.entries(shape)) {
      const value = given[key];
      if (typeof value !== "string" || value === "") continue;
      if (kind === "text" || kind.includes(value)) taken[key] = value;
    }
    return taken as FiltersOf<Shape>;
  };
}

export type FiltersOf<Shape extends Record<string, "text" | readonly string[]>> = {
  [Key in keyof Shape]?: (Shape[Key] extends readonly (infer Word)[] ? Word : string) | undefined;
};
