/** The flows between home and the tenant databases. A parked link is well: everything has arrived. */
import { getRouteApi, Link } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { POLL_MS } from "../../api/use-api.ts";
import { usePages } from "../../api/use-pages.ts";
import { LINK_STATES } from "../../api/words.ts";
import { RegionSelect } from "../../ui/region-select.tsx";
import { bytes, count, duration } from "../../ui/format.ts";
import { SelectField } from "../../ui/fields.tsx";
import { List } from "../../ui/list.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { Empty } from "../../ui/states.tsx";
import { LINK_WORDS } from "../../ui/status.tsx";
import { linkColumns } from "./link-columns.tsx";

const LINKS = graphql(`
  query Links($first: Int, $after: String, $regionKey: String, $state: LinkState) {
    links(first: $first, after: $after, regionKey: $regionKey, state: $state) {
      edges {
        node {
          database
          direction
          region { key }
          placements { id organization { name } }
          state
          carriedAt
          checkedAt
          waitingSince
          lagSeconds
          lagBytes
          walBytes
          seeds
          seededAt
          wakes
          failures
          failure
          problem
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export type LinkRow = ResultOf<typeof LINKS>["links"]["edges"][number]["node"];

const route = getRouteApi("/links");

export function Links() {
  const { region, state } = route.useSearch();
  const navigate = route.useNavigate();
  const pages = usePages("links", LINKS, { regionKey: region ?? null, state: state ?? null }, ({ links }) => links, {
    pollMs: POLL_MS,
  });
  const isFiltered = region !== undefined || state !== undefined;
  return (
    <Page
      title="Links"
      lead="A link carries rows between home and a tenant database: members to the region, catalog rows to home. Without changes it is parked: no process runs for it, and all has arrived."
    >
      <div className="filters">
        <RegionSelect
          value={region}
          onChange={(key) => void navigate({ search: (search) => ({ ...search, region: key }) })}
        />
        <SelectField
          label="State"
          none="All"
          value={state}
          choices={LINK_STATES.map((value) => ({ value, name: LINK_WORDS[value].word }))}
          onChange={(value) => void navigate({ search: (search) => ({ ...search, state: value }) })}
        />
      </div>
      <Panel title="Links" flush>
        <List
          label="Links"
          noun="link"
          pages={pages}
          rowKey={({ database, direction }) => `${database} ${direction}`}
          columns={[
            ...linkColumns<LinkRow>(),
            { name: "Database", cell: ({ database }) => <code>{database}</code> },
            {
              name: "Region",
              cell: ({ region: at }) =>
                at !== null && (
                  <Link to="/regions" search={{ region: at.key }}>
                    {at.key}
                  </Link>
                ),
            },
            { name: "Placements", cell: ({ placements }) => <Placements placements={placements} /> },
            { name: "Lag in bytes", kind: "number", cell: ({ lagBytes }) => bytes(lagBytes) },
            { name: "WAL kept", kind: "number", cell: ({ walBytes }) => bytes(walBytes) },
            { name: "Waits", kind: "number", cell: ({ lagSeconds }) => duration(lagSeconds) },
            { name: "Wakes", kind: "number", cell: ({ wakes }) => count(wakes) },
            { name: "Reseeds", kind: "number", cell: ({ seeds }) => count(Math.max(0, seeds - 1)) },
          ]}
          empty={
            <Empty title={isFiltered ? "No link is so" : "There is no link yet"}>
              <p>
                {isFiltered
                  ? "Take a filter away to see others."
                  : "Links are made when an organization is granted access to a region."}
              </p>
            </Empty>
          }
        />
      </Panel>
    </Page>
  );
}

/** Of a shared database only the first are named. */
const NAMED = 3;

function Placements({ placements }: { placements: LinkRow["placements"] }) {
  return (
    <span className="row">
      {placements.slice(0, NAMED).map(({ id, organization }) => (
        <Link key={id} to="/placements/$id" params={{ id }}>
          {organization.name}
        </Link>
      ))}
      {placements.length > NAMED && <span className="muted">and more</span>}
    </span>
  );
}
