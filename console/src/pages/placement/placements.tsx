/** All placements: which organization may use which region, and how that is. */
import { getRouteApi, Link } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { usePages } from "../../api/use-pages.ts";
import { PLACEMENT_STATES } from "../../api/words.ts";
import { usePollMs } from "../../shell/live.tsx";
import { FilterText, SelectField } from "../../ui/fields.tsx";
import { sentenceCase, UNKNOWN } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { RegionSelect } from "../../ui/region-select.tsx";
import { Empty } from "../../ui/states.tsx";
import { PLACEMENT_WORDS, StateStatus } from "../../ui/status.tsx";
import type { Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";

const PLACEMENTS = graphql(`
  query Placements($first: Int, $after: String, $regionKey: String, $state: PlacementState, $schemaVersion: Int) {
    placements(first: $first, after: $after, regionKey: $regionKey, state: $state, schemaVersion: $schemaVersion) {
      edges {
        node {
          id
          state
          isolation
          database
          schemaVersion
          failure
          createdAt
          organization { id name }
          region { key }
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

type PlacementRow = ResultOf<typeof PLACEMENTS>["placements"]["edges"][number]["node"];

const route = getRouteApi("/placements");
const useFilters = () => route.useSearch();
type Search = ReturnType<typeof useFilters>;

/** The version of the address; undefined: it is none. */
function versionOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : null;
}

export function Placements() {
  const { region, state, version } = useFilters();
  const navigate = route.useNavigate();
  const set = (name: keyof Search) => (value: string | undefined) =>
    void navigate({ search: (before) => ({ ...before, [name]: value === "" ? undefined : value }) });
  const pages = usePages(
    "placements",
    PLACEMENTS,
    { regionKey: region ?? null, state: state ?? null, schemaVersion: versionOf(version) },
    ({ placements }) => placements,
    { pollMs: usePollMs() },
  );
  const isFiltered = region !== undefined || state !== undefined || version !== undefined;
  return (
    <Page
      title="Placements"
      lead="A placement is an organization's access to a region. Its content lies in a tenant database there."
    >
      <div className="filters">
        <RegionSelect value={region} onChange={set("region")} />
        <SelectField
          label="State"
          none="All"
          value={state}
          choices={PLACEMENT_STATES.map((value) => ({ value, name: PLACEMENT_WORDS[value].word }))}
          onChange={set("state")}
        />
        <FilterText label="Schema version" type="number" value={version} onChange={set("version")} />
      </div>
      <Panel title="Placements" note="oldest first" flush>
        <List
          label="Placements"
          noun="placement"
          pages={pages}
          rowKey={({ id }) => id}
          columns={COLUMNS}
          empty={
            <Empty title={isFiltered ? "No placement is so" : "There is no placement yet"}>
              <p>
                {isFiltered ? (
                  "Take a filter away to see others."
                ) : (
                  <>
                    Open an <Link to="/organizations">organization</Link> and grant it access to a region.
                  </>
                )}
              </p>
            </Empty>
          }
        />
      </Panel>
    </Page>
  );
}

const COLUMNS: readonly Column<PlacementRow>[] = [
  { name: "State", kind: "tight", cell: ({ state }) => <StateStatus words={PLACEMENT_WORDS} state={state} /> },
  {
    name: "Organization",
    cell: ({ id, organization }) => (
      <Link to="/placements/$id" params={{ id }}>
        {organization.name}
      </Link>
    ),
  },
  { name: "Region", cell: ({ region }) => region.key },
  { name: "Isolation", cell: ({ isolation }) => sentenceCase(isolation) },
  { name: "Database", cell: ({ database }) => <code>{database}</code> },
  { name: "Schema version", kind: "number", cell: ({ schemaVersion }) => schemaVersion ?? UNKNOWN },
  { name: "Made", kind: "tight", cell: ({ createdAt }) => <Ago at={createdAt} /> },
  { name: "What went wrong", kind: "sentence", cell: ({ failure }) => failure ?? UNKNOWN },
];
