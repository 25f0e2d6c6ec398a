/** A job's steps on a line of time: a bar from when each began until it ended. Steps to come follow. */
import { duration, sentenceCase } from "../../ui/format.ts";
import { Status } from "../../ui/status.tsx";
import { useNow } from "../../ui/time.tsx";
import type { JobOfDetail } from "./job-detail.tsx";
import "./steps.css";

type Step = JobOfDetail["steps"][number];

type Props = {
  steps: readonly Step[];
  /** The names of all steps of such a job, in their order. */
  planned: readonly string[];
  isOver: boolean;
};

export function Steps({ steps, planned, isOver }: Props) {
  const now = useNow();
  const starts = steps.flatMap(({ startedAt }) => (startedAt === null ? [] : [Date.parse(startedAt)]));
  const from = Math.min(...starts);
  const to = Math.max(from + 1, ...steps.map((step) => endOf(step, isOver ? from : now)));
  const done = new Set(steps.map(({ name }) => name));
  const rest = isOver ? [] : planned.filter((name) => !done.has(name));
  if (steps.length === 0 && rest.length === 0) return <p className="muted">No step has begun yet.</p>;
  return (
    <ol className="steps">
      {steps.map((step) => (
        <li key={step.name}>
          <StepStatus step={step} isOver={isOver} />
          <Bar step={step} from={from} to={to} now={now} />
          <Length step={step} now={now} />
          {step.failure !== null && <p className="step-failure">{step.failure}</p>}
        </li>
      ))}
      {rest.map((name) => (
        <li key={name}>
          <Status tone="off">{sentenceCase(name)}</Status>
        </li>
      ))}
    </ol>
  );
}

function endOf({ startedAt, finishedAt }: Step, otherwise: number): number {
  return finishedAt === null ? (startedAt === null ? 0 : otherwise) : Date.parse(finishedAt);
}

function StepStatus({ step: { name, finishedAt, failure, attempts }, isOver }: { step: Step; isOver: boolean }) {
  const tone = finishedAt !== null ? "ok" : failure !== null ? "bad" : isOver ? "off" : "busy";
  return (
    <Status tone={tone}>
      {sentenceCase(name)}
      {attempts > 1 && <span className="muted">, {attempts} attempts</span>}
    </Status>
  );
}

function Bar({ step, from, to, now }: { step: Step; from: number; to: number; now: number }) {
  const start = step.startedAt === null ? from : Date.parse(step.startedAt);
  const end = Math.max(start, endOf(step, now));
  const span = to - from;
  return (
    <span className="step-track" aria-hidden="true">
      <span
        className="step-bar"
        style={{ marginLeft: `${((start - from) / span) * 100}%`, width: `${((end - start) / span) * 100}%` }}
      />
    </span>
  );
}

function Length({ step: { startedAt, finishedAt }, now }: { step: Step; now: number }) {
  if (startedAt === null) return <span />;
  const end = finishedAt === null ? now : Date.parse(finishedAt);
  return <span className="step-length">{duration(Math.max(0, (end - Date.parse(startedAt)) / 1_000))}</span>;
}
