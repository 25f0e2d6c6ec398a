import type { Metrics } from "#base/observability/metrics";
import { totalOf } from "#engine/migrations/schema-version";
import type { PlacementsOfRegion, PlacementsReading } from "#engine/readings/reading";
import { series } from "#metrics/figures";

/** Placements of each region, and which of them are behind. */
export function placementGauges(metrics: Metrics): (reading: Pick<PlacementsReading, "placements" | "ready">) => void {
  const states = metrics.gauge(
    "tenantry_placements",
    "Placements, by region, state and how many migrations their database has; none: it is being made.",
    ["region", "state", "schema_version"],
  );
  const outdated = metrics.gauge(
    "tenantry_placements_outdated",
    "Placements whose database has not all migrations of this program, by region.",
    ["region"],
  );
  const readyDatabases = metrics.gauge(
    "tenantry_ready_databases",
    "Databases that were made ahead and that a grant would find now, by region.",
    ["region"],
  );
  return ({ placements, ready }) => {
    readyDatabases.set(ready.flatMap((one) => series({ region: one.region }, one.ready)));
    // Two versions can have as many migrations in all.
    const keyed = Map.groupBy(placements, ({ region, state, schemaVersion }) =>
      JSON.stringify([region, state, schemaVersion === null ? "none" : String(totalOf(schemaVersion))]),
    );
    states.set(
      [...keyed].flatMap(([key, of]) => {
        const [region = "", state = "", version = ""] = JSON.parse(key) as string[];
        return series({ region, state, schema_version: version }, placementsOf(of));
      }),
    );
    outdated.set(
      [...Map.groupBy(placements, ({ region }) => region)].flatMap(([region, of]) =>
        series(
          { region },
          placementsOf(of.filter(({ isLatest, schemaVersion }) => !isLatest && schemaVersion !== null)),
        ),
      ),
    );
  };
}

function placementsOf(of: readonly PlacementsOfRegion[]): number {
  return of.reduce((all, { placements }) => all + placements, 0);
}
