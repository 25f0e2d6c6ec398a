/**
 * Jobs: what touches several servers. A row at home says what was asked for; a handler of idempotent steps makes it
 * real by reading the servers and doing what is missing, so that running again mends a crash anywhere.
 */
import type { Actor } from "#engine/auth/actor";
import { newId } from "#base/kernel/ids";
import { currentTrace } from "#base/observability/spans";
import type { Queryable } from "#base/postgres/database";

/**
 * Each kind with its steps, in order. `worker`: run by the job runner of any process, again after a failure.
 * `caller`: run by the command that asked, which runs it again; when that process ends, it counts as failed.
 */
export const JOBS = {
  "provision-placement": {
    runBy: "worker",
    steps: [
      "project-members",
      "make-template",
      "create-database",
      "protect",
      "identify",
      "link-directory",
      "link-catalog",
      "activate",
    ],
  },
  "revoke-placement": {
    runBy: "worker",
    steps: [
      "stop-writes",
      "count",
      "export",
      // In a database that others share.
      "delete-rows",
      "withdraw-directory",
      // A database of its own, or when nobody else is left in it.
      "drop-links",
      "drop-database",
      "drop-remains",
      "forget",
    ],
  },
  "keep-ready-databases": {
    runBy: "worker",
    steps: [
      "compare",
      "remove",
      "make-template",
      "create-database",
      "protect",
      "identify",
      "link-directory",
      "link-catalog",
      "keep",
    ],
  },
  "retire-region": { runBy: "worker", steps: ["remove-ready-databases", "drop-templates", "forget"] },
  // In each database of a region, or at home.
  "erase-user": { runBy: "worker", steps: ["run-erase-sql", "erase-columns", "carry", "note-done"] },
  "review-erasures": { runBy: "worker", steps: ["compare"] },
  "export-placement": { runBy: "caller", steps: ["export"] },
  "import-placement": { runBy: "caller", steps: ["import"] },
  repair: { runBy: "caller", steps: ["repair"] },
  "migrate-databases": { runBy: "caller", steps: ["plan", "canary", "waves", "templates"] },
} as const satisfies Record<string, { runBy: "worker" | "caller"; steps: readonly string[] }>;

export type JobKind = keyof typeof JOBS;
/** Those that a process runs for whoever called it. */
export type CallerKind = {
  [Kind in JobKind]: (typeof JOBS)[Kind]["runBy"] extends "caller" ? Kind : never;
}[JobKind];
export type StepOf<Kind extends JobKind> = (typeof JOBS)[Kind]["steps"][number];

export const JOB_STATES = ["WAITING", "RUNNING", "DONE", "FAILED", "CANCELLED"] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Channel on which home announces `<job id> <placement id or -> <state>`. */
export const JOB_CHANNEL = "tenantry_job";

export type JobRequest = {
  kind: JobKind;
  subject: string;
  placementId?: string;
  organizationId?: string;
  regionId?: string;
  /** Without secrets: it is stored and shown. */
  input?: object;
  /** Not before this moment; now when left out. */
  dueAt?: Date;
};

/** Who asked, as it is stored. */
export function requesterOf(actor: Actor): string {
  if (actor.kind === "key") return `key:${actor.keyId}`;
  return actor.kind === "user" ? actor.userId : "operator";
}

/**
 * Writes the request, in the caller's transaction. One that is active for the same kind and subject is brought forward
 * instead and run at once. Returns the id of the one that will run.
 */
export async function requestJob(home: Queryable<"home">, requestedBy: string, request: JobRequest): Promise<string> {
  const [row] = await home.query<{ id: string }>(
    "jobs.request",
    `insert into tenantry.jobs as o (${REQUEST_COLUMNS}, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, clock_timestamp()))
     on conflict (kind, subject) where state in ('WAITING', 'RUNNING')
       do update set due_at = excluded.due_at, input = o.input || excluded.input,
         traceparent = coalesce(excluded.traceparent, o.traceparent),
         tracestate = case when excluded.traceparent is null then o.tracestate else excluded.tracestate end
     returning id`,
    [...requestValues(newId(), requestedBy, request), request.dueAt ?? null],
  );
  if (row === undefined) throw new Error("the insert returned no row");
  return row.id;
}

/** The columns that say what was asked for, in the order of {@link requestValues}. */
export const REQUEST_COLUMNS =
  "id, kind, subject, placement_id, organization_id, region_id, requested_by, input, traceparent, tracestate";

export function requestValues(id: string, requestedBy: string, request: JobRequest): unknown[] {
  const { kind, subject, placementId = null, organizationId = null, regionId = null, input = {} } = request;
  // Its spans are in the trace of what has asked for it.
  const { traceparent = null, tracestate = null } = currentTrace() ?? {};
  const what = [id, kind, subject, placementId, organizationId, regionId, requestedBy, JSON.stringify(input)];
  return [...what, traceparent, tracestate];
}

/** Takes back what waits; what runs already is not stopped. */
export async function cancelJob(home: Queryable<"home">, kind: JobKind, subject: string): Promise<void> {
  await home.query(
    "jobs.cancel",
    `update tenantry.jobs set state = 'CANCELLED', finished_at = now()
     where kind = $1 and subject = $2 and state = 'WAITING'`,
    [kind, subject],
  );
}

/** What jobs on a region as a whole have as their subject. */
export function regionSubject(regionId: string): string {
  return `region:${regionId}`;
}

/** What jobs on a placement have as their subject. */
export function placementSubject(placementId: string): string {
  return `placement:${placementId}`;
}

type PlacementKind = Extract<JobKind, `${string}-placement`>;

/** A job on a placement. */
export function onPlacement<Kind extends PlacementKind>(
  kind: Kind,
  { id, organizationId, regionId }: { id: string; organizationId: string; regionId: string },
): JobRequest & { kind: Kind } {
  return { kind, subject: placementSubject(id), placementId: id, organizationId, regionId };
}

/** A job on a region as a whole. */
export function onRegion<Kind extends JobKind>(kind: Kind, regionId: string): JobRequest & { kind: Kind } {
  return { kind, subject: regionSubject(regionId), regionId };
}
