/** A state by shape, word and colour, so that none of the three is needed to read it. */
import type { ReactNode } from "react";
import type { JobState, LinkState, PlacementState, Severity } from "../api/words.ts";

/** ok: well. rest: well, and nothing happens. busy: at work. wait: will begin. warn, bad: somebody must look. off: ended. */
export type Tone = "ok" | "rest" | "busy" | "wait" | "warn" | "bad" | "off";

const SHAPES: Record<Tone, ReactNode> = {
  ok: <circle cx="6" cy="6" r="4.5" fill="currentColor" />,
  rest: <circle cx="6" cy="6" r="4" fill="none" stroke="currentColor" strokeWidth="1.75" />,
  busy: (
    <>
      <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" />
      <path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" fill="currentColor" />
    </>
  ),
  wait: <path d="M6 1.5 10.5 6 6 10.5 1.5 6z" fill="none" stroke="currentColor" strokeWidth="1.5" />,
  warn: <path d="M6 1 11.5 10.75H.5z" fill="currentColor" />,
  bad: <path d="M3.7.75h4.6l2.95 2.95v4.6L8.3 11.25H3.7L.75 8.3V3.7z" fill="currentColor" />,
  off: <path d="M2 6h8" fill="none" stroke="currentColor" strokeWidth="2" />,
};

export function Status({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`status tone-${tone}`}>
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      <span>{children}</span>
    </span>
  );
}

type Words<State extends string> = Record<State, { tone: Tone; word: string }>;

export const PLACEMENT_WORDS: Words<PlacementState> = {
  ACTIVE: { tone: "ok", word: "Active" },
  PROVISIONING: { tone: "busy", word: "Being made" },
  MOVING: { tone: "busy", word: "Moving" },
  SUSPENDED: { tone: "warn", word: "Suspended" },
  REVOKING: { tone: "busy", word: "Being removed" },
  FAILED: { tone: "bad", word: "Failed" },
};
export const JOB_WORDS: Words<JobState> = {
  WAITING: { tone: "wait", word: "Waiting" },
  RUNNING: { tone: "busy", word: "Running" },
  FAILED: { tone: "bad", word: "Failed" },
  DONE: { tone: "ok", word: "Done" },
  CANCELLED: { tone: "off", word: "Cancelled" },
};
/** A parked link is well: everything has arrived, and no process is needed. */
export const LINK_WORDS: Words<LinkState> = {
  AWAKE: { tone: "ok", word: "Awake" },
  PARKED: { tone: "rest", word: "Parked" },
  LATE: { tone: "warn", word: "Late" },
  BROKEN: { tone: "bad", word: "Broken" },
};
export const SEVERITY_WORDS: Words<Severity> = {
  ERROR: { tone: "bad", word: "Error" },
  WARNING: { tone: "warn", word: "Warning" },
  NOTICE: { tone: "rest", word: "Notice" },
};

/** A state as these words have it. */
export function StateStatus<State extends string>({ words, state }: { words: Words<State>; state: State }) {
  const { tone, word } = words[state];
  return <Status tone={tone}>{word}</Status>;
}

/** `isFailing`: it waits to be tried again after a failure, or failed for good with nothing newer that did it. */
export function JobStatus({ state, isFailing = false }: { state: JobState; isFailing?: boolean }) {
  if (isFailing && state === "WAITING") return <Status tone="warn">Waiting to try again</Status>;
  return <StateStatus words={JOB_WORDS} state={state} />;
}
