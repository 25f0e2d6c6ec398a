/** A job as lists show it. */
import { graphql, type ResultOf } from "../../api/graphql.ts";

export const JOB_ROW = graphql(`
  fragment JobRow on Job {
    id
    kind
    subject
    placementId
    state
    isFailing
    isRetriable
    step
    attempts
    requestedBy
    requestedAt
    dueAt
    lastError
    region { key }
  }
`);

export type JobRow = ResultOf<typeof JOB_ROW>;
