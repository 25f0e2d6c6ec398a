import { Link } from "@tanstack/react-router";
import { count, sentenceCase, shortId, UNKNOWN } from "../../ui/format.ts";
import { JobStatus } from "../../ui/status.tsx";
import type { Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import type { JobRow } from "./job-row.ts";

/** `search`: the filters that stay when one job is opened. */
export function jobColumns(search: object): Column<JobRow>[] {
  return [
    {
      name: "State",
      kind: "tight",
      cell: ({ state, isFailing }) => <JobStatus state={state} isFailing={isFailing} />,
    },
    {
      name: "Job",
      cell: ({ id, kind }) => (
        <Link to="/jobs" search={{ ...search, job: id }} className="nowrap">
          {sentenceCase(kind)}
        </Link>
      ),
    },
    { name: "About", cell: (job) => <Subject job={job} /> },
    { name: "Region", cell: ({ region }) => region?.key ?? UNKNOWN },
    { name: "Step", cell: ({ step }) => (step === null ? UNKNOWN : sentenceCase(step)) },
    { name: "Attempts", kind: "number", cell: ({ attempts }) => count(attempts) },
    { name: "Asked", kind: "tight", cell: ({ requestedAt }) => <Ago at={requestedAt} /> },
    {
      name: "Tries again",
      kind: "tight",
      cell: ({ state, dueAt }) => (state === "WAITING" ? <Ago at={dueAt} /> : UNKNOWN),
    },
    {
      name: "What went wrong",
      kind: "sentence",
      cell: ({ lastError, state }) => (state === "DONE" ? UNKNOWN : (lastError ?? UNKNOWN)),
    },
  ];
}

/** What a job is about, as "placement:<id>": its end is enough to tell one from another. */
function Subject({ job: { subject, placementId } }: { job: JobRow }) {
  const [kind = "", id = ""] = subject.split(":");
  if (placementId !== null)
    return (
      <Link to="/placements/$id" params={{ id: placementId }} className="nowrap" title={subject}>
        Placement {shortId(placementId)}
      </Link>
    );
  return (
    <span title={subject}>
      {sentenceCase(kind)} {id.length === ID_LENGTH ? shortId(id) : id}
    </span>
  );
}

/** Of a UUID. */
const ID_LENGTH = 36;

type Selection = {
  /** The ids that can be chosen. */
  retriable: readonly string[];
  selected: ReadonlySet<string>;
  onChange: (selected: ReadonlySet<string>) => void;
};

/** A box before each job that fails, and one for all of them. */
export function selectColumn({ retriable, selected, onChange }: Selection): Column<JobRow> {
  const isAll = retriable.every((id) => selected.has(id));
  const toggle = (id: string, isChecked: boolean) => {
    const next = new Set(selected);
    if (isChecked) next.add(id);
    else next.delete(id);
    onChange(next);
  };
  return {
    name: "Choose",
    kind: "tight",
    head: (
      <input
        type="checkbox"
        aria-label="Choose all that are failing"
        checked={isAll}
        onChange={({ currentTarget }) => onChange(new Set(currentTarget.checked ? retriable : []))}
      />
    ),
    cell: ({ id, kind, subject }) =>
      retriable.includes(id) && (
        <input
          type="checkbox"
          aria-label={`Choose ${sentenceCase(kind)}, ${subject}`}
          checked={selected.has(id)}
          onChange={({ currentTarget }) => toggle(id, currentTarget.checked)}
        />
      ),
  };
}
