/** The servers: which they are, how they do, and how much room they have left. */
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { POLL_MS, useRead } from "../../api/use-api.ts";
import { mayOperate, useViewer } from "../../api/viewer.ts";
import { CommandLine } from "../../ui/copy.tsx";
import { Page } from "../../ui/page.tsx";
import { Empty, Loaded, Notice } from "../../ui/states.tsx";
import { ChangeRegion } from "./change-region.tsx";
import { HomeCard, RegionCard } from "./region-card.tsx";
import { RegisterRegion } from "./register-region.tsx";
import { RetireRegion } from "./retire-region.tsx";
import "./regions.css";

const REGIONS = graphql(`
  query Regions {
    regions {
      id
      key
      name
      coordinates { latitude longitude }
      server {
        host
        port
        poolUrl
        reachable
        version
        subscriptionMethod
        problem
        headroom { setting used limit }
        clockAheadSeconds
        advice
        answersSince
      }
    }
    overview {
      home { coordinates { latitude longitude } version problem advice headroom { setting used limit } }
    }
  }
`);

export type HomeRow = ResultOf<typeof REGIONS>["overview"]["home"];
export type RegionRow = ResultOf<typeof REGIONS>["regions"][number];

/** What is done to a region in a dialog. */
type Doing = { what: "change" | "retire"; region: RegionRow };

const route = getRouteApi("/regions");

export function Regions() {
  const viewer = useViewer();
  const { region: only, register } = route.useSearch();
  const navigate = route.useNavigate();
  const [doing, setDoing] = useState<Doing>();
  const reading = useRead("regions", REGIONS, {}, { pollMs: POLL_MS });
  const may = mayOperate(viewer);
  const close = () => setDoing(undefined);
  const registering = (isOpen: boolean) =>
    void navigate({ search: (search) => ({ ...search, register: isOpen ? "yes" : undefined }) });
  return (
    <Page
      title="Regions"
      lead="A region is a PostgreSQL server where organizations keep their data."
      actions={
        may && (
          <button type="button" className="button primary" onClick={() => registering(true)}>
            Register a region
          </button>
        )
      }
    >
      <Loaded reading={reading}>
        {({ regions, overview }) => (
          <RegionCards
            regions={regions}
            home={overview.home}
            only={only}
            actions={may ? (what, region) => setDoing({ what, region }) : undefined}
          />
        )}
      </Loaded>
      {may && register !== undefined && <RegisterRegion onClose={() => registering(false)} />}
      {doing?.what === "change" && <ChangeRegion region={doing.region} onClose={close} />}
      {doing?.what === "retire" && <RetireRegion region={doing.region} onClose={close} />}
    </Page>
  );
}

type CardsProps = {
  home: HomeRow;
  regions: readonly RegionRow[];
  /** The key of the one region that is shown; undefined: all are. */
  only: string | undefined;
  actions: ((what: Doing["what"], region: RegionRow) => void) | undefined;
};

function RegionCards({ regions, home, only, actions }: CardsProps) {
  const shown = only === undefined ? regions : regions.filter(({ key }) => key === only);
  return (
    <>
      {only !== undefined && (
        <Notice>
          {shown.length === 0 ? `There is no region ${only}. ` : `Only ${only} is shown. `}
          <Link to="/regions">Show all regions</Link>
        </Notice>
      )}
      <div className="grid">
        {only === undefined && <HomeCard home={home} />}
        {regions.length === 0 && <NoRegion />}
        {shown.map((region) => (
          <RegionCard key={region.key} region={region} actions={actions} />
        ))}
      </div>
    </>
  );
}

function NoRegion() {
  return (
    <section className="panel" aria-label="No region">
      <Empty title="No region is registered">
        <p>Register one here, or on the command line:</p>
        <CommandLine command="tenantry region add eu" />
      </Empty>
    </section>
  );
}
