/** What is shown while there is nothing yet, when there is nothing, and when something went wrong. */
import type { ReactNode } from "react";
import { ApiError, type Problem } from "../api/request.ts";
import type { Reading } from "../api/use-api.ts";

export function Loading() {
  return (
    <p className="loading" role="status">
      Loading …
    </p>
  );
}

/** Nothing is here: says so, and what can be done. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children}
    </div>
  );
}

export function Notice({ tone, children }: { tone?: "warn" | "bad"; children: ReactNode }) {
  return (
    <div className={tone === undefined ? "notice" : `notice ${tone}`} role={tone === "bad" ? "alert" : undefined}>
      <div>{children}</div>
    </div>
  );
}

/** What to do about an error, by its code; the API's message says the rest. */
const ADVICE: Record<string, string> = {
  OFFLINE: "Look whether the process runs: its /health/ready says so.",
  HOME_UNAVAILABLE: "The home database is away. Nothing can be read until it is back.",
  FORBIDDEN: "Sign in as somebody who may see this.",
  NOT_FOUND: "It may have been deleted, or you may not see it. Go back to the list.",
  LIMIT_EXCEEDED: "Wait a moment: the page asks again by itself.",
  INTERNAL: "The process's log has the reason.",
};

export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const code = error instanceof ApiError ? error.code : "INTERNAL";
  const message = error instanceof Error ? error.message : "Something went wrong.";
  return (
    <Notice tone="bad">
      <p>{message}</p>
      {ADVICE[code] !== undefined && <p className="muted">{ADVICE[code]}</p>}
      {onRetry !== undefined && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </Notice>
  );
}

/** What of an answer could not be read. The rest is shown. */
export function Problems({ problems }: { problems: readonly Problem[] }) {
  const sentences = [...new Set(problems.map(({ message }) => message))];
  if (sentences.length === 0) return null;
  return (
    <Notice tone="warn">
      {sentences.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </Notice>
  );
}

/** Shows what was read; while it is read, or when that failed, that. An answer that is old stays, with what went wrong. */
export function Loaded<Data>({ reading, children }: { reading: Reading<Data>; children: (data: Data) => ReactNode }) {
  const { data: answer, error, refetch } = reading;
  const failure = error === null ? null : <Failure error={error} onRetry={() => void refetch()} />;
  if (answer === undefined) return failure ?? <Loading />;
  return (
    <>
      {failure}
      <Problems problems={answer.problems} />
      {children(answer.data)}
    </>
  );
}
