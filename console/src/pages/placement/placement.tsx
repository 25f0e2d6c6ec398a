/** One placement: where each of its tables lies, its links over time, its version and its jobs. */
import { getRouteApi, Link } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { type Reading, useRead } from "../../api/use-api.ts";
import { usePollMs } from "../../shell/live.tsx";
import { CommandLine, Id } from "../../ui/copy.tsx";
import { bytes, sentenceCase, UNKNOWN } from "../../ui/format.ts";
import { Facts, Page, Panel } from "../../ui/page.tsx";
import { Empty, Loaded, Notice } from "../../ui/states.tsx";
import { PLACEMENT_WORDS, StateStatus } from "../../ui/status.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { Actions } from "./actions.tsx";
import { PlacementJobs } from "./placement-jobs.tsx";
import { PlacementLinks } from "./placement-links.tsx";
import { Tables } from "./tables.tsx";

const PLACEMENT = graphql(`
  query Placement($id: ID!) {
    placement(id: $id) {
      id
      state
      isolation
      database
      schemaVersion
      bytes
      failure
      dropAfter
      createdAt
      updatedAt
      organization { id name viewerMay }
      region { key name }
      links {
        database
        direction
        state
        carriedAt
        waitingSince
        lagSeconds
        lagBytes
        walBytes
        seeds
        wakes
        failures
        failure
        problem
      }
    }
  }
`);

export type PlacementData = NonNullable<ResultOf<typeof PLACEMENT>["placement"]>;

const route = getRouteApi("/placements/$id");

export function PlacementPage() {
  const { id } = route.useParams();
  const reading = useRead("placements", PLACEMENT, { id }, { pollMs: usePollMs() });
  const placement = reading.data?.data.placement;
  return (
    <Page
      title={placement == null ? "Placement" : `${placement.organization.name} in ${placement.region.key}`}
      crumbs={<Link to="/placements">Placements</Link>}
      actions={placement != null && <Actions placement={placement} />}
    >
      <Loaded reading={reading}>
        {(data) => (data.placement === null ? <NoPlacement /> : <Parts placement={data.placement} reading={reading} />)}
      </Loaded>
    </Page>
  );
}

function NoPlacement() {
  return (
    <Panel title="Placement" flush>
      <Empty title="There is no such placement">
        <p>It was revoked, or you may not see it.</p>
      </Empty>
    </Panel>
  );
}

function Parts({ placement, reading }: { placement: PlacementData; reading: Reading<unknown> }) {
  const { id, state, failure, dropAfter } = placement;
  return (
    <>
      {failure !== null && (
        <Notice tone="bad">
          <p>{failure}</p>
          <CommandLine command={`tenantry retry ${id}`} />
        </Notice>
      )}
      {state === "SUSPENDED" && (
        <Notice tone="warn">
          Nobody can read or write it. Its database is dropped <Ago at={dropAfter} />, unless it is resumed before.
        </Notice>
      )}
      <Panel title="About">
        <Facts rows={factsOf(placement)} />
      </Panel>
      <Tables id={id} region={placement.region.key} />
      <PlacementLinks id={id} links={placement.links} atMs={reading.dataUpdatedAt} />
      <PlacementJobs id={id} />
    </>
  );
}

function factsOf(placement: PlacementData): [string, React.ReactNode][] {
  const { id, state, isolation, database, schemaVersion, createdAt, updatedAt, organization, region } = placement;
  return [
    ["State", <StateStatus words={PLACEMENT_WORDS} key="state" state={state} />],
    [
      "Organization",
      <Link key="organization" to="/organizations/$id" params={{ id: organization.id }}>
        {organization.name}
      </Link>,
    ],
    ["Region", `${region.key} (${region.name})`],
    [
      "Isolation",
      isolation === "SHARED" ? "Shared: others are in the same database" : "Dedicated: a database of its own",
    ],
    ["Database", <code key="database">{database}</code>],
    ["Bytes", isolation === "SHARED" ? "not known: the database is shared" : bytes(placement.bytes)],
    ["Schema version", schemaVersion ?? `${UNKNOWN} (${sentenceCase(state).toLowerCase()})`],
    ["Made", <Moment key="made" at={createdAt} />],
    ["Changed", <Moment key="changed" at={updatedAt} />],
    ["Id", <Id key="id" id={id} />],
  ];
}
