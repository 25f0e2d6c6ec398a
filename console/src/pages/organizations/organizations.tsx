/** Who is there: for the operator all organizations, for others their own. */
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { usePages } from "../../api/use-pages.ts";
import { isOperator, mayOperate, useViewer } from "../../api/viewer.ts";
import { usePollMs } from "../../shell/live.tsx";
import { FilterText, SelectField } from "../../ui/fields.tsx";
import { bytes, count } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { Empty } from "../../ui/states.tsx";
import { PLACEMENT_WORDS, Status } from "../../ui/status.tsx";
import { Ago } from "../../ui/time.tsx";
import type { Column } from "../../ui/table.tsx";
import { CreateOrganization } from "./create-organization.tsx";

const ORGANIZATIONS = graphql(`
  query Organizations($first: Int, $after: String, $search: String, $regionKey: String) {
    organizations(first: $first, after: $after, search: $search, regionKey: $regionKey) {
      edges {
        node {
          id
          name
          createdAt
          deletingAt
          memberCount
          bytes
          lastActivityAt
          placements { id state region { key } }
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

const REGION_KEYS = graphql(`
  query RegionKeys {
    regions { key name }
  }
`);

type Row = ResultOf<typeof ORGANIZATIONS>["organizations"]["edges"][number]["node"];

const route = getRouteApi("/organizations");

const COLUMNS: readonly Column<Row>[] = [
  {
    name: "Organization",
    cell: ({ id, name, deletingAt }) => (
      <>
        <Link to="/organizations/$id" params={{ id }}>
          {name}
        </Link>
        {deletingAt !== null && <Status tone="busy">Being deleted</Status>}
      </>
    ),
  },
  { name: "Placements", cell: ({ placements }) => <Placements placements={placements} /> },
  { name: "Members", kind: "number", cell: ({ memberCount }) => count(memberCount) },
  { name: "Bytes of its own", kind: "number", cell: (row) => bytes(row.bytes) },
  { name: "Last activity", kind: "number", cell: ({ lastActivityAt }) => <Ago at={lastActivityAt} /> },
  { name: "Since", kind: "number", cell: ({ createdAt }) => <Ago at={createdAt} /> },
];

export function Organizations() {
  const viewer = useViewer();
  const { search, region } = route.useSearch();
  const [isCreating, setCreating] = useState(false);
  const variables = { search: search ?? null, regionKey: region ?? null };
  const pages = usePages("organizations", ORGANIZATIONS, variables, (data) => data.organizations, {
    pollMs: usePollMs(),
  });
  return (
    <Page
      title="Organizations"
      lead="A collection of users that owns content. A placement is its access to a region."
      actions={
        mayOperate(viewer) && (
          <button type="button" className="button primary" onClick={() => setCreating(true)}>
            Create an organization
          </button>
        )
      }
    >
      {isOperator(viewer) && <Filters />}
      <Panel title="Organizations" flush>
        <List
          label="Organizations"
          noun="organization"
          pages={pages}
          columns={COLUMNS}
          rowKey={({ id }) => id}
          empty={<NoOrganization isFiltered={search !== undefined || region !== undefined} />}
        />
      </Panel>
      {isCreating && <CreateOrganization onClose={() => setCreating(false)} />}
    </Page>
  );
}

function NoOrganization({ isFiltered }: { isFiltered: boolean }) {
  if (!isFiltered)
    return <Empty title="There is no organization yet">Create one, then grant it access to a region.</Empty>;
  return (
    <Empty title="No organization is like this">
      <span>A name is found by how it begins, an organization also by its whole id.</span>
      <Link to="/organizations">Show all</Link>
    </Empty>
  );
}

function Filters() {
  const { search, region } = route.useSearch();
  const navigate = route.useNavigate();
  const regions = useRead("regions", REGION_KEYS, {}).data?.data.regions ?? [];
  return (
    <div className="filters" role="search">
      <FilterText
        label="Name begins with, or id"
        isWide
        value={search}
        onChange={(value) => void navigate({ search: (before) => ({ ...before, search: value }), replace: true })}
      />
      <SelectField
        label="With a placement in"
        none="Any region"
        value={region}
        choices={regions.map(({ key, name }) => ({ value: key, name: `${key}, ${name}` }))}
        onChange={(value) => void navigate({ search: (before) => ({ ...before, region: value }) })}
      />
    </div>
  );
}

/** By region: a link to each. */
function Placements({ placements }: { placements: Row["placements"] }) {
  if (placements.length === 0) return <span className="muted">none</span>;
  return (
    <span className="row">
      {placements.map(({ id, state, region }) => (
        <Link key={id} to="/placements/$id" params={{ id }} className="plain-link">
          <Status tone={PLACEMENT_WORDS[state].tone}>
            {region.key}
            {state === "ACTIVE" ? (
              <span className="visually-hidden"> active</span>
            ) : (
              ` ${PLACEMENT_WORDS[state].word.toLowerCase()}`
            )}
          </Status>
        </Link>
      ))}
    </span>
  );
}
