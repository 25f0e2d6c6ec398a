/** Links: how many are in which state, and the worst of each region and direction. */
import type { LabelledGauge, Metrics } from "#base/observability/metrics";
import { LINK_STATES, type LinkReading } from "#engine/readings/reading";
import { most, series } from "#metrics/figures";

/** Of links that are unwell so many are named, the worst first. */
export const MOST_NAMED = 20;

const LINK = ["region", "direction"];
const NAMED_LINK = ["region", "database", "direction"];

export function linkGauges(metrics: Metrics): (links: readonly LinkReading[]) => void {
  const gauge = metrics.gauge.bind(metrics);
  const states = gauge("tenantry_links", "Links, by region, direction and state. A parked one rests, which is well.", [
    ...LINK,
    "state",
  ]);
  const unwell = gauge("tenantry_links_with_problem", "Links with a problem, by region and direction.", LINK);
  const waiting = gauge(
    "tenantry_links_waiting",
    "Links on which something is known to wait, by region and direction.",
    LINK,
  );
  const lagBytes = gauge(
    "tenantry_link_lag_bytes",
    "WAL that the slowest link of a region and direction has yet to go through.",
    LINK,
  );
  const lagSeconds = gauge(
    "tenantry_link_lag_seconds",
    "For how long something has been known to wait on the slowest link of a region and direction.",
    LINK,
  );
  const retained = gauge(
    "tenantry_link_wal_retained_bytes",
    "The most WAL that the publisher's server keeps for a link of a region and direction.",
    LINK,
  );
  const refused = gauge("tenantry_link_refused_rows", "Rows of a region that home's guard refuses now.", ["region"]);
  const named = namedGauges(metrics);
  return (links) => {
    const groups = [...Map.groupBy(links, ({ region, direction }) => `${region} ${direction}`).values()].map((of) => ({
      labels: { region: of[0]?.region ?? "", direction: of[0]?.direction ?? "" },
      of,
    }));
    const each = (of: LabelledGauge, value: (links: readonly LinkReading[]) => number | null) =>
      of.set(groups.flatMap((group) => series(group.labels, value(group.of))));
    states.set(
      groups.flatMap(({ labels, of }) =>
        LINK_STATES.flatMap((state) => series({ ...labels, state }, of.filter((link) => link.state === state).length)),
      ),
    );
    each(unwell, (of) => of.filter(({ problem }) => problem !== null).length);
    each(waiting, (of) => of.filter((link) => link.lagSeconds > 0).length);
    each(lagBytes, (of) => most(of.map((link) => link.lagBytes)));
    each(lagSeconds, (of) => most(of.map((link) => link.lagSeconds)));
    each(retained, (of) => most(of.map((link) => link.retainedBytes)));
    const regions = Map.groupBy(links, ({ region }) => region);
    refused.set(
      [...regions].flatMap(([region, of]) =>
        series(
          { region },
          of.reduce((sum, { refusedRows }) => sum + refusedRows, 0),
        ),
      ),
    );
    named(links);
  };
}

/** Of the worst that have a problem, each by the name of its database. */
function namedGauges(metrics: Metrics): (links: readonly LinkReading[]) => void {
  const gauge = metrics.gauge.bind(metrics);
  const help = `of the worst links with a problem, ${MOST_NAMED} at most.`;
  const namedBytes = gauge("tenantry_unwell_link_lag_bytes", `The lag in bytes ${help}`, NAMED_LINK);
  const namedSeconds = gauge("tenantry_unwell_link_lag_seconds", `The lag in seconds ${help}`, NAMED_LINK);
  const namedRetained = gauge("tenantry_unwell_link_wal_retained_bytes", `The WAL kept ${help}`, NAMED_LINK);
  return (links) => {
    const worst = links
      .filter(({ problem }) => problem !== null)
      .toSorted(byBadness)
      .slice(0, MOST_NAMED);
    const each = (of: LabelledGauge, value: (link: LinkReading) => number | null) =>
      of.set(
        worst.flatMap((link) =>
          series({ region: link.region, database: link.database, direction: link.direction }, value(link)),
        ),
      );
    each(namedBytes, (link) => link.lagBytes);
    each(namedSeconds, (link) => link.lagSeconds);
    each(namedRetained, (link) => link.retainedBytes);
  };
}

/** The longest wait first; where that says nothing, the most WAL. The rest by id, so that the same ones are named each time. */
function byBadness(one: LinkReading, other: LinkReading): number {
  return (
    other.lagSeconds - one.lagSeconds ||
    (other.retainedBytes ?? 0) - (one.retainedBytes ?? 0) ||
    one.databaseId - other.databaseId
  );
}
