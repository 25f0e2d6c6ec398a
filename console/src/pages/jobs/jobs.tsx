/** Background work: what was asked for, how far it is, what fails, and trying again. */
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { graphql } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { usePages } from "../../api/use-pages.ts";
import { mayOperate, useViewer } from "../../api/viewer.ts";
import { JOB_STATES } from "../../api/words.ts";
import { usePollMs } from "../../shell/live.tsx";
import { CheckField, FilterText, SelectField } from "../../ui/fields.tsx";
import { sentenceCase } from "../../ui/format.ts";
import { List } from "../../ui/list.tsx";
import { Page, Panel } from "../../ui/page.tsx";
import { RegionSelect } from "../../ui/region-select.tsx";
import { Empty } from "../../ui/states.tsx";
import { JOB_WORDS } from "../../ui/status.tsx";
import { jobColumns, selectColumn } from "./job-columns.tsx";
import { JobDetail } from "./job-detail.tsx";
import { JOB_ROW } from "./job-row.ts";
import { RetryJobs } from "./retry-jobs.tsx";

const JOBS = graphql(
  `
  query Jobs(
    $first: Int
    $after: String
    $state: JobState
    $kind: String
    $failing: Boolean
    $regionKey: String
    $organizationId: ID
  ) {
    jobs(
      first: $first
      after: $after
      state: $state
      kind: $kind
      failing: $failing
      regionKey: $regionKey
      organizationId: $organizationId
    ) {
      edges {
        node { ...JobRow }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`,
  [JOB_ROW],
);

const route = getRouteApi("/jobs");
const useFilters = () => route.useSearch();
type Search = ReturnType<typeof useFilters>;

export function Jobs() {
  const search = useFilters();
  const navigate = route.useNavigate();
  return (
    <Page
      title="Jobs"
      lead="Work on several servers: provision, revoke, migrate, repair. A job that fails is tried again by itself, with longer and longer pauses."
    >
      <Filters search={search} />
      <JobList search={search} />
      {search.job !== undefined && (
        <JobDetail
          id={search.job}
          onClose={() => void navigate({ search: (before) => ({ ...before, job: undefined }) })}
        />
      )}
    </Page>
  );
}

const JOB_KINDS = graphql(`
  query JobKinds {
    jobKinds { name }
  }
`);

function Filters({ search }: { search: Search }) {
  const navigate = route.useNavigate();
  const kinds = useRead("job-kinds", JOB_KINDS, {}).data?.data.jobKinds ?? [];
  const set = (name: keyof Search) => (value: string | undefined) =>
    void navigate({ search: (before) => ({ ...before, [name]: value === "" ? undefined : value }) });
  return (
    <div className="filters">
      <SelectField
        label="State"
        none="All"
        value={search.state}
        choices={JOB_STATES.map((value) => ({ value, name: JOB_WORDS[value].word }))}
        onChange={set("state")}
      />
      <SelectField
        label="Kind"
        none="All"
        value={search.kind}
        choices={kinds.map(({ name }) => ({ value: name, name: sentenceCase(name) }))}
        onChange={set("kind")}
      />
      <RegionSelect value={search.region} onChange={set("region")} />
      <FilterText label="Organization's id" value={search.organization} onChange={set("organization")} isMono isWide />
      <CheckField
        label="Failing now"
        isChecked={search.failing !== undefined}
        onChange={(isChecked) => set("failing")(isChecked ? "yes" : undefined)}
      />
    </div>
  );
}

function JobList({ search }: { search: Search }) {
  const may = mayOperate(useViewer());
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const pages = usePages(
    "jobs",
    JOBS,
    {
      state: search.state ?? null,
      kind: search.kind ?? null,
      failing: search.failing !== undefined,
      regionKey: search.region ?? null,
      organizationId: search.organization ?? null,
    },
    ({ jobs }) => jobs,
    { pollMs: usePollMs() },
  );
  const retriable = pages.rows.filter((job) => job.isFailing && job.isRetriable).map(({ id }) => id);
  // What is no longer failing can no longer be tried again.
  const chosen = retriable.filter((id) => selected.has(id));
  const isFiltered = Object.values(search).some((value) => value !== undefined);
  const columns = jobColumns(search);
  return (
    <Panel
      title="Jobs"
      note="newest first"
      flush
      actions={may && retriable.length > 0 && <RetryJobs ids={chosen} onDone={() => setSelected(new Set())} />}
    >
      <List
        label="Jobs"
        noun="job"
        pages={pages}
        rowKey={({ id }) => id}
        columns={
          may && retriable.length > 0
            ? [selectColumn({ retriable, selected, onChange: setSelected }), ...columns]
            : columns
        }
        empty={<NoJob isFiltered={isFiltered} isFailing={search.failing !== undefined} />}
      />
    </Panel>
  );
}

function NoJob({ isFiltered, isFailing }: { isFiltered: boolean; isFailing: boolean }) {
  if (isFailing)
    return (
      <Empty title="Nothing is failing">
        <p>Jobs that failed before have been done since.</p>
      </Empty>
    );
  return (
    <Empty title={isFiltered ? "No job is so" : "There is no job yet"}>
      <p>{isFiltered ? "Take a filter away to see others." : "Granting access to a region makes the first one."}</p>
    </Empty>
  );
}
