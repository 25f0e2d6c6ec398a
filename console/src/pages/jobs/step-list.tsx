/** How far a job is: each step that it has come to, and what went wrong last. */
import type { JobState } from "../../api/words.ts";
import { sentenceCase } from "../../ui/format.ts";
import { Notice } from "../../ui/states.tsx";
import { Status } from "../../ui/status.tsx";

type Step = { name: string; finishedAt: string | null; failure: string | null };
type Props = { job: { state: JobState; lastError: string | null; steps: readonly Step[] } };

export function StepList({ job: { state, lastError, steps } }: Props) {
  return (
    <>
      <ol className="stack">
        {steps.map(({ name, finishedAt, failure }) => (
          <li key={name}>
            <Status tone={finishedAt !== null ? "ok" : failure === null ? "busy" : "bad"}>
              {sentenceCase(name)}
              {finishedAt === null && failure === null ? " …" : ""}
            </Status>
          </li>
        ))}
      </ol>
      {lastError !== null && state !== "DONE" && <Notice tone="warn">{lastError}</Notice>}
    </>
  );
}
