/** The record of jobs, as people read it. */
import { type Actor, viewerId } from "#engine/auth/actor";
import { rolesThatMay } from "#engine/auth/policy";
import { isBetween } from "#base/kernel/page-range";
import { idsOfReversed, type Page, type PageRequest, readingOrder, toPage } from "#base/kernel/page";
import type { JobState } from "#engine/jobs/job";
import type { Services } from "#engine/services";

/** What was asked for, how far it is, and what came of it. */
export type Job = {
  id: string;
  kind: string;
  /** What it is about, such as `placement:<id>`. */
  subject: string;
  placementId: string | null;
  organizationId: string | null;
  regionId: string | null;
  /** `operator`, `system`, a user's id, or `key:` and a key's id. */
  requestedBy: string;
  requestedAt: Date;
  state: JobState;
  /** The step it is at, or was at when it failed. */
  step: string | null;
  attempts: number;
  lastError: string | null;
  /** While it waits: when it runs (again). */
  dueAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** What came of it, such as a revocation's receipt. */
  result: unknown;
};

export type JobStep = {
  jobId: string;
  name: string;
  attempts: number;
  startedAt: Date | null;
  finishedAt: Date | null;
};

export type JobFilter = { organizationId?: string | null; placementId?: string | null; state?: JobState | null };

const COLUMNS = `o.id, o.kind, o.subject, o.placement_id as "placementId", o.organization_id as "organizationId",
            o.region_id as "regionId", o.requested_by as "requestedBy", o.requested_at as "requestedAt", o.state, o.step,
            o.attempts, o.last_error as "lastError", o.due_at as "dueAt", o.started_at as "startedAt",
            o.finished_at as "finishedAt", o.result`;
/** Whether a viewer, $`viewer`, has one of the roles $`roles` in the job's organization; null: the operator, who sees all. */
const isVisible = (viewer: string, roles: string) => `(${viewer}::uuid is null or exists (
         select from tenantry.roles s
         where s.organization_id = o.organization_id and s.holder_id = ${viewer} and s.role = any(${roles})))`;

/** A page of jobs, newest first. The operator sees all; a user those of organizations that they own. */
export async function listJobs(
  { home }: Pick<Services, "home">,
  actor: Actor,
  filter: JobFilter,
  page: PageRequest,
): Promise<Page<Job>> {
  const [low, high] = idsOfReversed(page);
  const rows = await home.query<Job>(
    "jobs.list",
    `select ${COLUMNS} from tenantry.jobs o
     where ${isBetween("o.id", page, ["$1", "$8"], "desc")} and ($3::uuid is null or o.placement_id = $3)
       and ($4::text is null or o.state = $4)
       and ($7::uuid is null or o.organization_id = $7)
       and ${isVisible("$5", "$6")}
     order by o.id ${readingOrder(page, "desc")} limit $2`,
    [
      low,
      page.first + 1,
      filter.placementId ?? null,
      filter.state ?? null,
      viewerId(actor),
      rolesThatMay("read-jobs"),
      filter.organizationId ?? null,
      high,
    ],
  );
  return toPage(rows, page);
}

/** The jobs with these ids that the actor may list, in no particular order. */
export function findJobs({ home }: Pick<Services, "home">, actor: Actor, ids: readonly string[]): Promise<Job[]> {
  return home.query<Job>(
    "jobs.by_ids",
    `select ${COLUMNS} from tenantry.jobs o where o.id = any($1::uuid[]) and ${isVisible("$2", "$3")}`,
    [ids, viewerId(actor), rolesThatMay("read-jobs")],
  );
}

/** The steps of jobs that the caller has listed, in the order they were first taken. */
export function listJobSteps({ home }: Pick<Services, "home">, jobIds: readonly string[]): Promise<JobStep[]> {
  return home.query<JobStep>(
    "jobs.steps",
    `select job_id as "jobId", name, attempts, started_at as "startedAt", finished_at as "finishedAt"
     from tenantry.job_steps where job_id = any($1::uuid[]) order by started_at, name`,
    [jobIds],
  );
}
