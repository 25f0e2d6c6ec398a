/** Running a job again that has failed, now: for after its cause was mended. */
import type { Actor } from "#engine/auth/actor";
import { authorizeOperator } from "#engine/auth/policy";
import { TenantryError } from "#base/kernel/errors";
import { setPlacementState } from "#engine/home/placements";
import { type JobKind, JOBS, requestJob, requesterOf } from "#engine/jobs/job";
import { findJobsOfAll, getJob, type Job } from "#engine/jobs/list-jobs";
import type { Services } from "#engine/services";

/** Whether {@link retryJob} runs it again. */
export function isRetriable(job: Pick<Job, "kind" | "isFailing" | "state">): boolean {
  return whyNot(job) === undefined;
}

/**
 * Runs a job that is failing again, now, and returns the one that will run: the same, or a new one in place of one that was
 * given up. For the operator. NOT_FOUND, and CONFLICT with the reason for one that is not failing or that no worker runs.
 */
export async function retryJob(services: Pick<Services, "home" | "ownership">, actor: Actor, id: string): Promise<Job> {
  authorizeOperator(actor);
  const job = await getJob(services, actor, id);
  const obstacle = whyNot(job);
  if (obstacle !== undefined) throw new TenantryError("CONFLICT", obstacle);
  if (job.regionId !== null) services.ownership.refuseLost(job.regionId);
  const again = await services.home.transaction(async (transaction) => {
    const [before] = await transaction.query<{ input: object }>(
      "jobs.input",
      "select input from tenantry.jobs where id = $1",
      [id],
    );
    const { kind, subject, placementId, organizationId, regionId } = job;
    if (kind === "provision-placement" && placementId !== null)
      await setPlacementState({ home: transaction }, placementId, "PROVISIONING");
    return requestJob(transaction, requesterOf(actor), {
      kind: kind as JobKind,
      subject,
      ...(placementId !== null && { placementId }),
      ...(organizationId !== null && { organizationId }),
      ...(regionId !== null && { regionId }),
      input: before?.input ?? {},
    });
  });
  const [found = job] = await findJobsOfAll(services, [again]);
  return found;
}

/** Undefined when it can be. */
function whyNot({ kind, isFailing, state }: Pick<Job, "kind" | "isFailing" | "state">): string | undefined {
  const known = Object.entries(JOBS).find(([name]) => name === kind)?.[1];
  if (known === undefined) return "This program does not know this kind of job.";
  if (known.runBy === "caller") return "A command has run it: run that command again.";
  if (state === "RUNNING") return "It runs now.";
  // One that only waits for its time would come too early, such as a revocation that can still be undone.
  return isFailing ? undefined : "It is not failing: nothing of it is to be done again.";
}
