/** How far the newest job on a placement is: its steps as they happen. For dialogs that have begun something. */
import { graphql } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { sentenceCase } from "../../ui/format.ts";
import { Loaded } from "../../ui/states.tsx";
import { JobStatus } from "../../ui/status.tsx";
import { StepList } from "./step-list.tsx";

const NEWEST_JOB = graphql(`
  query NewestJob($placementId: ID!) {
    jobs(placementId: $placementId, first: 1) {
      edges {
        node {
          id
          kind
          state
          isFailing
          lastError
          dueAt
          steps { name startedAt finishedAt failure }
        }
      }
    }
  }
`);

/** It is looked at closely: somebody waits for it. */
const CLOSE_MS = 1_000;

export function JobProgress({ placementId }: { placementId: string }) {
  const reading = useRead("jobs", NEWEST_JOB, { placementId }, { pollMs: CLOSE_MS });
  return (
    <Loaded reading={reading}>
      {({ jobs }) => {
        const job = jobs.edges[0]?.node;
        if (job === undefined) return <p className="muted">Nothing has begun yet.</p>;
        return (
          <div className="stack">
            <div className="row">
              <strong>{sentenceCase(job.kind)}</strong>
              <JobStatus state={job.state} isFailing={job.isFailing} />
            </div>
            <StepList job={job} />
          </div>
        );
      }}
    </Loaded>
  );
}
