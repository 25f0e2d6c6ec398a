/** What an operator looks at first: where everything is, how it is, and what to do next. */
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { POLL_MS, type Reading, useRead } from "../../api/use-api.ts";
import { useHistory } from "../../api/history.ts";
import { mayOperate, useViewer } from "../../api/viewer.ts";
import { count, counted, duration } from "../../ui/format.ts";
import { Page, Panel } from "../../ui/page.tsx";
import { Empty, Loaded, Loading } from "../../ui/states.tsx";
import { CommandLine } from "../../ui/copy.tsx";
import { Attention } from "./attention.tsx";
import { Moves } from "./moves.tsx";
import { RegionsTable, toneOf, wordOf } from "./regions-table.tsx";
import "./overview.css";

// The map and the lines are the heavy parts: the numbers do not wait for them.
const WorldMap = lazy(async () => ({ default: (await import("./world-map.tsx")).WorldMap }));
const Series = lazy(async () => ({ default: (await import("../../ui/series.tsx")).Series }));

const OVERVIEW = graphql(`
  query Overview {
    overview {
      at
      home { coordinates { latitude longitude } version problem advice }
      organizations
      users
      placements
      regions {
        region { key name coordinates { latitude longitude } }
        reachable
        problem
        placements
        states { state placements }
        links { awake parked late broken worstLagSeconds }
        failingJobs
      }
      jobs { waiting running failing }
      links { awake parked late broken worstLagSeconds }
      attention {
        severity
        sentence
        command
        since
        region { key }
        placementId
        organizationId
        jobId
      }
      moreAttention
    }
  }
`);

export type OverviewData = ResultOf<typeof OVERVIEW>["overview"];
export type RegionOverview = OverviewData["regions"][number];

export function Overview() {
  const reading = useRead("overview", OVERVIEW, {}, { pollMs: POLL_MS });
  return (
    <Page title="Overview" lead="Where everything is, how it is, and what to do next.">
      <Loaded reading={reading}>
        {({ overview }) => (
          <>
            <Figures overview={overview} />
            <div className="overview-grid">
              <div className="overview-main">
                <MapPanel overview={overview} />
                <LagPanel reading={reading} />
              </div>
              <Attention attention={overview.attention} more={overview.moreAttention} />
            </div>
            <Moves />
            {overview.regions.length > 0 && <RegionsTable regions={overview.regions} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Figures({ overview: { placements, organizations, users, regions, jobs, links } }: { overview: OverviewData }) {
  const away = regions.filter(({ reachable }) => !reachable).length;
  return (
    <div className="figures">
      <Link className="figure" to="/regions">
        <span className="name">Regions</span>
        <span className="value">{count(regions.length)}</span>
        <span className="note">{away === 0 ? "all answer" : `${count(away)} away`}</span>
      </Link>
      <Link className="figure" to="/placements">
        <span className="name">Placements</span>
        <span className="value">{count(placements)}</span>
        <span className="note">{statesNote(regions)}</span>
      </Link>
      <Link className="figure" to="/organizations">
        <span className="name">Organizations</span>
        <span className="value">{count(organizations)}</span>
        <span className="note">{counted(users, "user")}</span>
      </Link>
      <Link className="figure" to="/links">
        <span className="name">Links late or broken</span>
        <span className="value">{count(links.late + links.broken)}</span>
        <span className="note">
          {count(links.parked)} parked, {count(links.awake)} awake
        </span>
      </Link>
      <Link className="figure" to="/links" search={{ state: "LATE" }}>
        <span className="name">Worst lag</span>
        <span className="value">{duration(links.worstLagSeconds)}</span>
        <span className="note">{links.worstLagSeconds === 0 ? "nothing waits" : "oldest change that waits"}</span>
      </Link>
      <Link className="figure" to="/jobs" search={{ failing: "yes" }}>
        <span className="name">Jobs failing now</span>
        <span className="value">{count(jobs.failing)}</span>
        <span className="note">
          {count(jobs.running)} running, {count(jobs.waiting)} waiting
        </span>
      </Link>
    </div>
  );
}

function statesNote(regions: readonly RegionOverview[]): string {
  const states = regions.flatMap((region) => region.states);
  const of = (state: string) =>
    states.filter((one) => one.state === state).reduce((sum, { placements }) => sum + placements, 0);
  const failed = of("FAILED");
  return failed === 0 ? `${count(of("ACTIVE"))} active` : `${count(failed)} failed`;
}

function MapPanel({ overview: { home, regions } }: { overview: OverviewData }) {
  const sites = regions.flatMap((one) => {
    const { key, name, coordinates } = one.region;
    return coordinates === null ? [] : [{ key, name, coordinates, tone: toneOf(one), word: wordOf(one) }];
  });
  const missing = regions.filter(({ region }) => region.coordinates === null).map(({ region }) => region.key);
  return (
    <Panel title="Map" foot={<MapFoot hasHome={home.coordinates !== null} missing={missing} />}>
      {regions.length === 0 ? (
        <NoRegion />
      ) : (
        <Suspense fallback={<Loading />}>
          <WorldMap home={home.coordinates} sites={sites} />
        </Suspense>
      )}
    </Panel>
  );
}

function NoRegion() {
  const viewer = useViewer();
  return (
    <Empty title="No region is registered">
      <p>A region is a PostgreSQL server where organizations keep their data.</p>
      {mayOperate(viewer) ? (
        <Link className="button primary" to="/regions" search={{ register: "yes" }}>
          Register a region
        </Link>
      ) : (
        <CommandLine command="tenantry region add eu" />
      )}
    </Empty>
  );
}

function MapFoot({ hasHome, missing }: { hasHome: boolean; missing: readonly string[] }) {
  if (hasHome && missing.length === 0) return "Land: Natural Earth.";
  return (
    <>
      {!hasHome && (
        <p>
          Home is not on the map: say where it is with <code>TENANTRY_HOME_COORDINATES</code>.
        </p>
      )}
      {missing.length > 0 && (
        <p>
          Not on the map: {missing.join(", ")}. Give a region its coordinates on the page{" "}
          <Link to="/regions">Regions</Link>.
        </p>
      )}
    </>
  );
}

function LagPanel({ reading }: { reading: Reading<ResultOf<typeof OVERVIEW>> }) {
  const regions = reading.data?.data.overview.regions ?? [];
  const now = Object.fromEntries(regions.map(({ region, links }) => [region.key, links.worstLagSeconds]));
  const { times, values } = useHistory("overview-lag", reading.dataUpdatedAt, now);
  if (regions.length === 0) return null;
  const lines = Object.entries(values).map(([name, line]) => ({ name, values: line }));
  return (
    <Panel title="Lag by region" note="noted while this page is open">
      <Suspense fallback={<Loading />}>
        <Series label="Lag by region" times={times} lines={lines} format={(value) => duration(value)} height={140} />
      </Suspense>
    </Panel>
  );
}
