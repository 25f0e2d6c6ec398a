/** One organization: where it may keep data, who belongs to it, and what can be done with it. */
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { useViewer } from "../../api/viewer.ts";
import { usePollMs } from "../../shell/live.tsx";
import { Id } from "../../ui/copy.tsx";
import { bytes, count, UNKNOWN } from "../../ui/format.ts";
import { Facts, Page, Panel } from "../../ui/page.tsx";
import { Empty, Loaded, Notice } from "../../ui/states.tsx";
import { LINK_WORDS, PLACEMENT_WORDS, StateStatus } from "../../ui/status.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { DeleteOrganization } from "./delete-organization.tsx";
import { GrantAccess } from "./grant-access.tsx";
import { Members } from "./members.tsx";
import "./organization.css";

const ORGANIZATION = graphql(`
  query Organization($id: ID!) {
    organization(id: $id) {
      id
      name
      createdAt
      updatedAt
      deletingAt
      viewerMay
      viewerRole
      memberCount
      bytes
      lastActivityAt
      placements {
        id
        state
        isolation
        database
        schemaVersion
        bytes
        failure
        dropAfter
        region { key name }
        links { direction state lagSeconds }
      }
    }
  }
`);

export type OrganizationData = NonNullable<ResultOf<typeof ORGANIZATION>["organization"]>;
type Placement = OrganizationData["placements"][number];

const route = getRouteApi("/organizations/$id");

export function OrganizationPage() {
  const { id } = route.useParams();
  const reading = useRead("organizations", ORGANIZATION, { id }, { pollMs: usePollMs() });
  const organization = reading.data?.data.organization;
  return (
    <Page
      title={organization?.name ?? "Organization"}
      crumbs={<Link to="/organizations">Organizations</Link>}
      actions={organization != null && <Actions organization={organization} />}
    >
      <Loaded reading={reading}>
        {(data) => (data.organization === null ? null : <Parts organization={data.organization} />)}
      </Loaded>
    </Page>
  );
}

function Actions({ organization }: { organization: OrganizationData }) {
  const { readOnly } = useViewer();
  const [doing, setDoing] = useState<"grant" | "delete">();
  const { viewerMay, deletingAt } = organization;
  if (readOnly || deletingAt !== null) return null;
  const close = () => setDoing(undefined);
  return (
    <>
      {viewerMay.includes("MANAGE_PLACEMENTS") && (
        <button type="button" className="button primary" onClick={() => setDoing("grant")}>
          Grant access to a region
        </button>
      )}
      {viewerMay.includes("MANAGE_ORGANIZATION") && (
        <button type="button" className="button danger" onClick={() => setDoing("delete")}>
          Delete
        </button>
      )}
      {doing === "grant" && <GrantAccess organization={organization} onClose={close} />}
      {doing === "delete" && <DeleteOrganization organization={organization} onClose={close} />}
    </>
  );
}

function Parts({ organization }: { organization: OrganizationData }) {
  const { id, placements, deletingAt, viewerMay } = organization;
  return (
    <>
      {deletingAt !== null && (
        <Notice tone="warn">
          It is being deleted since <Moment at={deletingAt} />. Its databases are dropped one by one.
        </Notice>
      )}
      <div className="organization-grid">
        <About organization={organization} />
        <Panel title="Placements" note={placements.length === 0 ? undefined : count(placements.length)} flush>
          {placements.length === 0 ? (
            <Empty title="It has no placement">Grant it access to a region: then it can keep data there.</Empty>
          ) : (
            <Table label="Placements" columns={PLACEMENT_COLUMNS} rows={placements} rowKey={(row) => row.id} />
          )}
        </Panel>
      </div>
      <Members organizationId={id} mayManage={viewerMay.includes("MANAGE_MEMBERS")} />
    </>
  );
}

function About({ organization }: { organization: OrganizationData }) {
  const { id, memberCount, lastActivityAt, createdAt, viewerRole } = organization;
  return (
    <Panel
      title="About"
      foot={
        <span className="row">
          <Link to="/jobs" search={{ organization: id }}>
            Jobs
          </Link>
          <Link to="/audit-log" search={{ organization: id }}>
            Audit log
          </Link>
        </span>
      }
    >
      <Facts
        rows={[
          ["Id", <Id key="id" id={id} />],
          ["Members", count(memberCount)],
          ["Bytes of its own", bytes(organization.bytes)],
          ["Last activity", <Ago key="last" at={lastActivityAt} />],
          ["Made", <Moment key="made" at={createdAt} />],
          ...(viewerRole === null ? [] : [["Your role", viewerRole] as const]),
        ]}
      />
    </Panel>
  );
}

const PLACEMENT_COLUMNS: readonly Column<Placement>[] = [
  {
    name: "Region",
    cell: ({ id, region }) => (
      <Link to="/placements/$id" params={{ id }}>
        {region.key}
      </Link>
    ),
  },
  { name: "Name", cell: ({ region }) => region.name },
  {
    name: "State",
    kind: "sentence",
    cell: ({ state, failure, dropAfter }) => (
      <>
        <StateStatus words={PLACEMENT_WORDS} state={state} />
        {failure !== null && <div className="muted">{failure}</div>}
        {dropAfter !== null && (
          <div className="muted">
            dropped <Ago at={dropAfter} />
          </div>
        )}
      </>
    ),
  },
  { name: "Isolation", kind: "tight", cell: ({ isolation }) => (isolation === "DEDICATED" ? "A database" : "Shared") },
  { name: "Version", kind: "number", cell: ({ schemaVersion }) => schemaVersion ?? UNKNOWN },
  { name: "Bytes", kind: "number", cell: (row) => bytes(row.bytes) },
  { name: "Links", kind: "tight", cell: ({ links }) => <Links links={links} /> },
];

function Links({ links }: { links: Placement["links"] }) {
  if (links.length === 0) return <span className="muted">none</span>;
  return links.map(({ direction, state }) => (
    <div key={direction} className="nowrap">
      <StateStatus words={LINK_WORDS} state={state} /> <span className="muted">{direction}</span>
    </div>
  ));
}
