/** The jobs on one placement, newest first. */
import { graphql } from "../../api/graphql.ts";
import { usePages } from "../../api/use-pages.ts";
import { usePollMs } from "../../shell/live.tsx";
import { List } from "../../ui/list.tsx";
import { Panel } from "../../ui/page.tsx";
import { Empty } from "../../ui/states.tsx";
import { jobColumns } from "../jobs/job-columns.tsx";
import { JOB_ROW } from "../jobs/job-row.ts";

const PLACEMENT_JOBS = graphql(
  `
  query PlacementJobs($id: ID!, $first: Int, $after: String) {
    jobs(placementId: $id, first: $first, after: $after) {
      edges {
        node { ...JobRow }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
`,
  [JOB_ROW],
);

export function PlacementJobs({ id }: { id: string }) {
  const pages = usePages("jobs", PLACEMENT_JOBS, { id }, ({ jobs }) => jobs, { pollMs: usePollMs() });
  return (
    <Panel title="Jobs" note="newest first" flush>
      <List
        label="Jobs"
        noun="job"
        pages={pages}
        rowKey={(job) => job.id}
        columns={jobColumns({})}
        empty={<Empty title="No job on it" />}
      />
    </Panel>
  );
}
