/** The record of jobs, as people read it. */
import { type Actor, viewerId } from "#engine/auth/actor";
import { findActorRole } from "#engine/auth/membership";
import { authorizeInOrganization, rolesThatMay } from "#engine/auth/policy";
import { notFound } from "#base/kernel/errors";
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
  /** It has failed, and nothing has made up for that yet. */
  isFailing: boolean;
};

export type JobStep = {
  jobId: string;
  name: string;
  attempts: number;
  startedAt: Date | null;
  finishedAt: Date | null;
};

/** What is left out or null does not narrow. */
export type JobFilter = {
  organizationId?: string | null;
  placementId?: string | null;
  state?: JobState | null;
  kind?: string | null;
  regionKey?: string | null;
  /** Only those that are failing now. */
  failing?: boolean;
};

/**
 * Whether job `o` is failing now: tried again after a failure, or given up, and nobody has asked for the same since. The first
 * condition is the index's.
 */
export const IS_FAILING = `(o.state in ('WAITING', 'RUNNING', 'FAILED') and case o.state
  when 'FAILED' then not exists (
    select from tenantry.jobs later where later.subject = o.subject and later.kind = o.kind and later.id > o.id)
  else o.last_error is not null end)`;

const COLUMNS = `o.id, o.kind, o.subject, o.placement_id as "placementId", o.organization_id as "organizationId",
            o.region_id as "regionId", o.requested_by as "requestedBy", o.requested_at as "requestedAt", o.state, o.step,
            o.attempts, o.last_error as "lastError", o.due_at as "dueAt", o.started_at as "startedAt",
            o.finished_at as "finishedAt", o.result, ${IS_FAILING} as "isFailing"`;

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
  const failing = filter.failing === true;
  const [low, high] = idsOfReversed(page);
  const rows = await home.query<Job>(
    failing ? "jobs.list_failing" : "jobs.list",
    `select ${COLUMNS}
     from tenantry.jobs o
     where ${isBetween("o.id", page, ["$1", "$10"], "desc")} and ($3::uuid is null or o.placement_id = $3)
       and ($4::text is null or o.state = $4)
       and ($7::uuid is null or o.organization_id = $7)
       and ($8::text is null or o.kind = $8)
       and ($9::text is null or o.region_id = (select r.id from tenantry.regions r where r.key = $9))
       ${failing ? `and o.state in ('WAITING', 'RUNNING', 'FAILED') and ${IS_FAILING}` : ""}
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
      filter.kind ?? null,
      filter.regionKey ?? null,
      high,
    ],
  );
  return toPage(rows, page);
}

/** The jobs with these ids, whoever asks, in no particular order. */
export function findJobsOfAll({ home }: Pick<Services, "home">, ids: readonly string[]): Promise<Job[]> {
  return home.query<Job>("jobs.find", `select ${COLUMNS} from tenantry.jobs o where o.id = any($1::uuid[])`, [ids]);
}

/** One job. NOT_FOUND when there is none that the actor may know of, FORBIDDEN for members who may not read jobs. */
export async function getJob(services: Pick<Services, "home">, actor: Actor, id: string): Promise<Job> {
  const [job] = await findJobsOfAll(services, [id]);
  if (job === undefined) throw notFound("Job");
  if (actor.kind === "operator") return job;
  const role = job.organizationId === null ? null : await findActorRole(services.home, job.organizationId, actor);
  if (role === null) throw notFound("Job");
  authorizeInOrganization(actor, role, "read-jobs");
  return job;
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

/** Jobs that are not over, and of these `failing` those that fail. */
export type JobCounts = { waiting: number; running: number; failing: number };

/** By region; null: in none. */
export function countJobs({ home }: Pick<Services, "home">): Promise<(JobCounts & { regionId: string | null })[]> {
  return home.query(
    "jobs.count",
    `select o.region_id as "regionId", count(*) filter (where o.state = 'WAITING')::int as waiting,
       count(*) filter (where o.state = 'RUNNING')::int as running, count(*) filter (where ${IS_FAILING})::int as failing
     from tenantry.jobs o where o.state in ('WAITING', 'RUNNING', 'FAILED') group by o.region_id`,
  );
}

/** Those that are failing now, newest first. */
export function listFailingJobs({ home }: Pick<Services, "home">, limit: number): Promise<Job[]> {
  return home.query<Job>(
    "jobs.failing",
    `select ${COLUMNS} from tenantry.jobs o
     where o.state in ('WAITING', 'RUNNING', 'FAILED') and ${IS_FAILING} order by o.id desc limit $1`,
    [limit],
  );
}

/** How many jobs on a placement are not over. */
export async function countActiveJobs({ home }: Pick<Services, "home">, placementId: string): Promise<number> {
  const [row] = await home.query<{ jobs: number }>(
    "jobs.count_active",
    "select count(*)::int as jobs from tenantry.jobs where placement_id = $1 and state in ('WAITING', 'RUNNING')",
    [placementId],
  );
  return row?.jobs ?? 0;
}

/** The job of a kind on a subject that was asked for last; undefined: none was. */
export async function findLatestJob(
  { home }: Pick<Services, "home">,
  kind: string,
  subject: string,
): Promise<Job | undefined> {
  const [job] = await home.query<Job>(
    "jobs.latest",
    `select ${COLUMNS} from tenantry.jobs o where o.subject = $2 and o.kind = $1 order by o.id desc limit 1`,
    [kind, subject],
  );
  return job;
}
