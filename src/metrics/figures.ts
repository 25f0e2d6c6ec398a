/** What metrics are made of. */
import type { Series } from "#base/observability/metrics";

/** The largest that is known; null: none is. */
export function most(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b));
}

/** Nothing where there is no value. */
export function series(labels: Record<string, string>, value: number | null): Series[] {
  return value === null ? [] : [{ labels, value }];
}
