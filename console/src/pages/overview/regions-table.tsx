import { Link } from "@tanstack/react-router";
import { count, duration } from "../../ui/format.ts";
import { Panel } from "../../ui/page.tsx";
import { PLACEMENT_WORDS, Status, type Tone } from "../../ui/status.tsx";
import { Table } from "../../ui/table.tsx";
import type { RegionOverview } from "./overview.tsx";

/** The worst of what is known of a region. */
export function toneOf({ reachable, problem, links, failingJobs }: RegionOverview): Tone {
  if (!reachable || links.broken > 0) return "bad";
  if (problem !== null || links.late > 0 || failingJobs > 0) return "warn";
  return "ok";
}

export function wordOf(region: RegionOverview): string {
  if (!region.reachable) return "Away";
  if (region.links.broken > 0) return "Links broken";
  if (region.links.late > 0) return "Late";
  if (region.failingJobs > 0) return "Jobs failing";
  return region.problem === null ? "Well" : "Needs care";
}

export function RegionsTable({ regions }: { regions: readonly RegionOverview[] }) {
  return (
    <Panel title="Regions" flush>
      <Table
        label="Regions"
        rows={regions}
        rowKey={({ region }) => region.key}
        columns={[
          {
            name: "Region",
            cell: ({ region }) => (
              <Link to="/regions" search={{ region: region.key }}>
                {region.key}
              </Link>
            ),
          },
          { name: "Name", cell: ({ region }) => region.name },
          { name: "State", kind: "tight", cell: (one) => <Status tone={toneOf(one)}>{wordOf(one)}</Status> },
          {
            name: "Placements",
            kind: "number",
            cell: ({ region, placements }) => (
              <Link to="/placements" search={{ region: region.key }}>
                {count(placements)}
              </Link>
            ),
          },
          { name: "Of these", cell: ({ states }) => <States states={states} /> },
          { name: "Awake", kind: "number", cell: ({ links }) => count(links.awake) },
          { name: "Parked", kind: "number", cell: ({ links }) => count(links.parked) },
          { name: "Late", kind: "number", cell: ({ links }) => count(links.late) },
          { name: "Broken", kind: "number", cell: ({ links }) => count(links.broken) },
          { name: "Worst lag", kind: "number", cell: ({ links }) => duration(links.worstLagSeconds) },
          {
            name: "Failing jobs",
            kind: "number",
            cell: ({ region, failingJobs }) => (
              <Link to="/jobs" search={{ failing: "yes", region: region.key }}>
                {count(failingJobs)}
              </Link>
            ),
          },
          { name: "Problem", kind: "sentence", cell: ({ problem }) => problem ?? <span className="muted">none</span> },
        ]}
      />
    </Panel>
  );
}

function States({ states }: { states: RegionOverview["states"] }) {
  return (
    <span className="row">
      {states.map(({ state, placements }) => (
        <Status key={state} tone={PLACEMENT_WORDS[state].tone}>
          {count(placements)} {PLACEMENT_WORDS[state].word.toLowerCase()}
        </Status>
      ))}
    </span>
  );
}
