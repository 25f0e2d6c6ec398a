/** Jobs as they change. */
import type { Actor } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { authorizeOperator } from "#engine/auth/policy";
import { EventStream, readingFrom } from "#base/kernel/event-stream";
import { JOB_CHANNEL } from "#engine/jobs/job";
import { findJobsOfAll, type Job } from "#engine/jobs/list-jobs";
import type { Services } from "#engine/services";

/** Jobs that are read at once, and that may wait to be read. */
const MAX_AT_ONCE = 100;
const MAX_WAITING = 5_000;

/**
 * Each job of an organization, or of everybody for the operator, when it is asked for, begins a step, fails or ends. Several
 * changes of one job that come fast are one. NOT_FOUND and FORBIDDEN for who may not (any more).
 */
export async function followJobs(
  services: Pick<Services, "home" | "listener">,
  actor: Actor,
  organizationId: string | null,
): Promise<AsyncIterableIterator<Job>> {
  await requireMay(services, actor, organizationId);
  let stop: () => void = () => undefined;
  const changes = new EventStream<true>(() => stop());
  const waiting = new Set<string>();
  stop = await services.listener.on(JOB_CHANNEL, (payload) => {
    const id = payload.slice(0, payload.indexOf(" "));
    // Of what was not heard nobody knows which job it was; the next change of it is heard.
    if (id === "" || waiting.size >= MAX_WAITING) return;
    waiting.add(id);
    if (waiting.size === 1) changes.push(true);
  });
  return readingFrom(changes, readEach(services, { actor, organizationId, changes, waiting }));
}

async function requireMay(
  { home }: Pick<Services, "home">,
  actor: Actor,
  organizationId: string | null,
): Promise<void> {
  if (organizationId === null) authorizeOperator(actor);
  else await requireInOrganization(home, actor, organizationId, "read-jobs");
}

async function* readEach(
  services: Pick<Services, "home">,
  following: { actor: Actor; organizationId: string | null; changes: EventStream<true>; waiting: Set<string> },
): AsyncGenerator<Job> {
  const { actor, organizationId, changes, waiting } = following;
  try {
    for await (const _ of changes)
      while (waiting.size > 0) {
        const ids = [...waiting].slice(0, MAX_AT_ONCE);
        for (const id of ids) waiting.delete(id);
        await requireMay(services, actor, organizationId);
        const found = await findJobsOfAll(services, ids);
        yield* found.filter((job) => organizationId === null || job.organizationId === organizationId);
      }
  } finally {
    await changes.return();
  }
}
