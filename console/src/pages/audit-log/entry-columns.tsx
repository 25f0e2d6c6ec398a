import { Link } from "@tanstack/react-router";
import { Id } from "../../ui/copy.tsx";
import { sentenceCase, UNKNOWN } from "../../ui/format.ts";
import { Status } from "../../ui/status.tsx";
import type { Column } from "../../ui/table.tsx";
import { Moment } from "../../ui/time.tsx";
import type { EntryRow } from "./entries.ts";

export const entryColumns: readonly Column<EntryRow>[] = [
  { name: "When", kind: "tight", cell: ({ at }) => <Moment at={at} /> },
  { name: "Outcome", kind: "tight", cell: ({ outcome }) => <Outcome outcome={outcome} /> },
  { name: "Action", cell: ({ action }) => <code>{action}</code> },
  { name: "About", cell: (entry) => <Subject entry={entry} /> },
  { name: "By", cell: (entry) => <By entry={entry} /> },
  { name: "By way of", cell: ({ via }) => sentenceCase(via) },
  { name: "Region", cell: ({ regionKey }) => regionKey ?? UNKNOWN },
  { name: "From", cell: ({ address }) => (address === null ? UNKNOWN : <code>{address}</code>) },
];

function Outcome({ outcome }: { outcome: string }) {
  if (outcome === "OK") return <Status tone="ok">Done</Status>;
  return <Status tone={outcome === "UNKNOWN" ? "warn" : "bad"}>{sentenceCase(outcome)}</Status>;
}

function Subject({ entry: { subjectKind, subjectId } }: { entry: EntryRow }) {
  if (subjectKind === null) return UNKNOWN;
  return (
    <span className="row">
      {sentenceCase(subjectKind)}
      {subjectId !== null && <SubjectLink kind={subjectKind} id={subjectId} />}
    </span>
  );
}

function SubjectLink({ kind, id }: { kind: string; id: string }) {
  if (kind === "REGION")
    return (
      <Link to="/regions" search={{ region: id }}>
        {id}
      </Link>
    );
  if (kind === "PLACEMENT")
    return (
      <Link to="/placements/$id" params={{ id }}>
        open
      </Link>
    );
  if (kind === "ORGANIZATION")
    return (
      <Link to="/organizations/$id" params={{ id }}>
        open
      </Link>
    );
  return <Id id={id} />;
}

function By({ entry: { who, whoId } }: { entry: EntryRow }) {
  return (
    <span className="row">
      {sentenceCase(who)}
      {whoId !== null && <Id id={whoId} />}
    </span>
  );
}
