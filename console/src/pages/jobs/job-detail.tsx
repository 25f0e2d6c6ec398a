/** One job: its steps on a line of time, its attempts, and the sentence of what went wrong. */
import { Link } from "@tanstack/react-router";
import { graphql, type ResultOf } from "../../api/graphql.ts";
import { useRead } from "../../api/use-api.ts";
import { mayOperate, useViewer } from "../../api/viewer.ts";
import { Id } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { count, sentenceCase } from "../../ui/format.ts";
import { Facts } from "../../ui/page.tsx";
import { Empty, Loaded, Notice } from "../../ui/states.tsx";
import { JobStatus } from "../../ui/status.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { RetryJobs } from "./retry-jobs.tsx";
import { Steps } from "./steps.tsx";

const JOB = graphql(`
  query Job($id: ID!) {
    job(id: $id) {
      id
      kind
      subject
      state
      isFailing
      isRetriable
      attempts
      requestedBy
      requestedAt
      startedAt
      finishedAt
      dueAt
      lastError
      result
      placementId
      region { key }
      steps { name startedAt finishedAt failure attempts }
    }
    jobKinds { name steps }
  }
`);

export type JobOfDetail = NonNullable<ResultOf<typeof JOB>["job"]>;

/** Somebody looks at it. */
const CLOSE_MS = 1_000;
const ENDED_MS = 30_000;

export function JobDetail({ id, onClose }: { id: string; onClose: () => void }) {
  const reading = useRead(
    "jobs",
    JOB,
    { id },
    {
      pollMs: (data) => (data?.job?.state === "RUNNING" || data?.job?.state === "WAITING" ? CLOSE_MS : ENDED_MS),
    },
  );
  return (
    <Dialog title="Job" isOpen onClose={onClose}>
      <Loaded reading={reading}>
        {({ job, jobKinds }) =>
          job === null ? (
            <Empty title="There is no such job">
              <p>Or you may not see it.</p>
            </Empty>
          ) : (
            <Shown job={job} planned={jobKinds.find(({ name }) => name === job.kind)?.steps ?? []} />
          )
        }
      </Loaded>
      <div className="form-actions">
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

function Shown({ job, planned }: { job: JobOfDetail; planned: readonly string[] }) {
  const may = mayOperate(useViewer());
  return (
    <div className="stack">
      <div className="row">
        <strong>{sentenceCase(job.kind)}</strong>
        <JobStatus state={job.state} isFailing={job.isFailing} />
      </div>
      {job.lastError !== null && job.state !== "DONE" && <Notice tone="warn">{job.lastError}</Notice>}
      <Steps steps={job.steps} planned={planned} isOver={job.finishedAt !== null} />
      <Facts rows={factsOf(job)} />
      {job.result !== null && (
        <details>
          <summary>Its result</summary>
          <pre className="result" tabIndex={0}>
            {job.result}
          </pre>
        </details>
      )}
      {may && job.isFailing && job.isRetriable && (
        <div className="row">
          <RetryJobs ids={[job.id]} />
        </div>
      )}
    </div>
  );
}

function factsOf(job: JobOfDetail) {
  const { id, subject, placementId, region, attempts, requestedBy, requestedAt, startedAt, finishedAt, state, dueAt } =
    job;
  const rows: [string, React.ReactNode][] = [
    ["About", subject],
    ["Attempts", count(attempts)],
    ["Asked by", requestedBy],
    ["Asked", <Moment key="asked" at={requestedAt} />],
    ["Begun", <Moment key="begun" at={startedAt} />],
    ["Ended", <Moment key="ended" at={finishedAt} />],
    ["Id", <Id key="id" id={id} />],
  ];
  if (state === "WAITING") rows.splice(2, 0, ["Tries again", <Ago key="due" at={dueAt} />]);
  if (region !== null)
    rows.splice(1, 0, [
      "Region",
      <Link key="region" to="/regions" search={{ region: region.key }}>
        {region.key}
      </Link>,
    ]);
  if (placementId !== null)
    rows.splice(1, 0, [
      "Placement",
      <Link key="placement" to="/placements/$id" params={{ id: placementId }}>
        open
      </Link>,
    ]);
  return rows;
}
