/**
 * Runs what is due, in this process. A job is held by session locks at home: they end with the process that holds
 * them, however it ends, so that another goes on at once. Locks of a queue in a table would outlive it.
 */
import { z } from "zod";
import { withStatementTimeout } from "#base/kernel/call";
import { delay, endsWithin } from "#base/kernel/wait";
import { Wakeup } from "#base/kernel/wakeup";
import { inSpan } from "#base/observability/spans";
import type { Session } from "#base/postgres/database";
import { type HeldTimes, whileHeld } from "#base/postgres/held-session";
import { LOCK_CLASS, tryLock, unlock } from "#base/postgres/session-lock";
import { type CallerKind, JOB_CHANNEL, JOBS, type JobKind } from "#engine/jobs/job";
import { type ClaimedJob, JobRun } from "#engine/jobs/job-run";
import type { Services } from "#engine/services";
import { announceWorker, mayRunSql, type WorkerRegions } from "#engine/jobs/worker-regions";

type WorkerKind = Exclude<JobKind, CallerKind>;

/** What runs each kind, handed in by the composition root. A table that lacks a kind does not compile. */
export type JobHandlers = { [Kind in WorkerKind]: (services: Services, run: JobRun<Kind>) => Promise<void> };

/** For tests. */
export type JobTimes = {
  /** How long the session that holds the jobs is believed in. */
  held?: Partial<HeldTimes>;
  /** When the runner stops, jobs that run have this long. What is left of them another process does, or this one when it is started again. */
  stopWaitMs?: number;
};

/** What the runner works with. `unrecorded`: how often in a row the end of a subject's job could not be recorded. */
type Work = {
  services: Services;
  handlers: JobHandlers;
  regions: WorkerRegions;
  wakeup: Wakeup;
  times: JobTimes;
  unrecorded: Map<string, number>;
};

/** Jobs that this process runs at once. */
const MAX_RUNNING = 6;
/** Jobs on one region's server at once, of all processes together. */
const MAX_PER_SERVER = 4;
/** When a notification is missed, what is due is found after this long. */
const POLL_INTERVAL_MS = 2_000;
const RECONNECT_PAUSE_MS = 500;
const STOP_WAIT_MS = 20_000;
/** When the session is lost, jobs are refused every further statement, and those that run are cancelled: they end this soon. */
const LOST_WAIT_MS = 10_000;
/** A single statement of a job: some read, write or drop a whole database. */
const STATEMENT_MS = 600_000;
/**
 * A job whose end could not be recorded is due still, as home takes no new connections for example. It is held this long before it
 * runs again; the pause doubles up to the maximum.
 */
const UNRECORDED_PAUSE_MS = 1_000;
const MAX_UNRECORDED_PAUSE_MS = 60_000;

export type JobRunner = {
  /** Takes nothing more and lets what runs finish, within a bound. */
  stop: () => Promise<void>;
};

/** Starts running jobs in this process: those on these regions, and those on none. */
export async function startJobRunner(
  services: Services,
  handlers: JobHandlers,
  times: JobTimes = {},
  regions?: WorkerRegions,
): Promise<JobRunner> {
  const stop = new AbortController();
  const wakeup = new Wakeup();
  const stopListening = await services.listener.on(JOB_CHANNEL, (payload) => {
    if (payload === "" || payload.endsWith(" WAITING")) wakeup.wake();
  });
  const running = keepRunning({ services, handlers, regions, wakeup, times, unrecorded: new Map() }, stop.signal);
  return {
    stop: async () => {
      stopListening();
      stop.abort(new Error("the job runner stopped"));
      await running;
    },
  };
}

async function keepRunning(work: Work, stop: AbortSignal): Promise<void> {
  const { services, times } = work;
  while (!stop.aborted) {
    const tasks = new Set<Promise<void>>();
    try {
      await whileHeld(
        services.home,
        (session, { signal }) => runInSession(work, session, { stop, lost: signal, tasks }),
        times.held,
      );
    } catch (error) {
      // Nothing is sent any more for what runs. Another process may go on with it; here it ends first.
      await endsWithin(Promise.all(tasks), LOST_WAIT_MS);
      services.logger.warn({ err: error }, "the session that holds the jobs broke");
      await delay(RECONNECT_PAUSE_MS, stop).catch(() => undefined);
    }
  }
}

/** What is held in this session, by lock key: the server counts a lock that one session takes twice as two. */
type Held = { subjects: Set<string>; slots: Set<string>; tasks: Set<Promise<void>>; ended: Ended[] };
type Ended = { subject?: string; slot?: string | undefined };

async function runInSession(
  work: Work,
  session: Session<"home">,
  { stop, lost, tasks }: { stop: AbortSignal; lost: AbortSignal; tasks: Held["tasks"] },
): Promise<void> {
  const held: Held = { subjects: new Set(), slots: new Set(), tasks, ended: [] };
  await announceWorker(session, work.regions);
  while (!stop.aborted) {
    await release(session, held);
    const pauseMs = await claimDue(work, session, held, { stop, lost });
    await work.wakeup.sleep(pauseMs, stop);
  }
  const { stopWaitMs = STOP_WAIT_MS } = work.times;
  if (!(await endsWithin(Promise.all(tasks), stopWaitMs)))
    work.services.logger.warn(`${tasks.size} jobs did not end in time: they go on where the next worker runs`);
}

async function release(session: Session<"home">, held: Held): Promise<void> {
  for (const { subject, slot } of held.ended.splice(0)) {
    if (subject !== undefined) {
      await unlock(session, LOCK_CLASS.jobSubject, subject);
      held.subjects.delete(subject);
    }
    if (slot !== undefined) {
      await unlock(session, LOCK_CLASS.serverSlot, slot);
      held.slots.delete(slot);
    }
  }
}

const rowSchema = z.object({
  id: z.string(),
  kind: z.enum(Object.keys(JOBS) as [JobKind, ...JobKind[]]),
  subject: z.string(),
  placementId: z.string().nullable(),
  regionId: z.string().nullable(),
  waitMs: z.number(),
});
type Candidate = z.infer<typeof rowSchema>;

/** Starts what is due and can be had. Returns after how many milliseconds to look again. */
async function claimDue(
  work: Work,
  session: Session<"home">,
  held: Held,
  signals: { stop: AbortSignal; lost: AbortSignal },
): Promise<number> {
  if (held.tasks.size >= MAX_RUNNING) return POLL_INTERVAL_MS;
  const rows = await session.query(
    "jobs.due",
    `select id, kind, subject, placement_id as "placementId", region_id as "regionId",
            extract(epoch from due_at - now())::float8 * 1000 as "waitMs"
     from tenantry.jobs j
     where state in ('WAITING', 'RUNNING') and due_at <= now() + $3 * interval '1 millisecond' and subject <> all($1::text[])
       and kind = any($2::text[]) and ${mayRunSql("$4")}
     order by due_at limit 100`,
    [[...held.subjects], Object.keys(JOBS), POLL_INTERVAL_MS, work.regions ?? null],
  );
  for (const row of rows) {
    const candidate = rowSchema.parse(row);
    // In the order of their moments: the rest is due later still.
    if (candidate.waitMs > 0) return candidate.waitMs;
    if (held.tasks.size >= MAX_RUNNING) break;
    if (held.subjects.has(candidate.subject)) continue;
    const slot = await takeServerSlot(session, held, candidate.regionId);
    if (slot === null) continue;
    const claimed = await claim(session, candidate);
    if (claimed === undefined) {
      held.ended.push({ slot });
      continue;
    }
    held.subjects.add(candidate.subject);
    const task = runAndPause(work, claimed, signals).finally(() => {
      held.tasks.delete(task);
      held.ended.push({ subject: candidate.subject, slot });
      work.wakeup.wake();
    });
    held.tasks.add(task);
  }
  return POLL_INTERVAL_MS;
}

/** One of the slots for jobs on the region's server; undefined when none is needed, null when none is free. */
async function takeServerSlot(
  session: Session<"home">,
  held: Held,
  regionId: string | null,
): Promise<string | undefined | null> {
  if (regionId === null) return undefined;
  for (let index = 0; index < MAX_PER_SERVER; index += 1) {
    const slot = `${regionId} ${index}`;
    if (held.slots.has(slot)) continue;
    if (!(await tryLock(session, LOCK_CLASS.serverSlot, slot))) continue;
    held.slots.add(slot);
    return slot;
  }
  return null;
}

/** Takes the subject's lock and marks the job as running; undefined when somebody else has it or it is over. */
async function claim(session: Session<"home">, candidate: Candidate): Promise<ClaimedJob<WorkerKind> | undefined> {
  if (!(await tryLock(session, LOCK_CLASS.jobSubject, candidate.subject))) return undefined;
  const { kind } = candidate;
  const byCaller = !isWorkerKind(kind);
  const [row] = await session.query<
    Pick<ClaimedJob, "input" | "result" | "attempts" | "claimedAt" | "traceparent" | "tracestate">
  >(
    "jobs.claim",
    // One that its caller ran is not ours to go on with: whoever ran it is gone, as its lock is free.
    `update tenantry.jobs set attempts = attempts + 1, started_at = coalesce(started_at, now()),
       state = case when $2 then 'FAILED' else 'RUNNING' end,
       finished_at = case when $2 then now() end,
       last_error = case when $2 then 'The process that ran it ended before it was done: run it again.' else last_error end
     where id = $1 and state in ('WAITING', 'RUNNING') and due_at <= now()
     returning input, result, attempts, now()::text as "claimedAt", traceparent, tracestate`,
    [candidate.id, byCaller],
  );
  if (row !== undefined && isWorkerKind(kind)) return { ...candidate, kind, ...row };
  await unlock(session, LOCK_CLASS.jobSubject, candidate.subject);
  return undefined;
}

function isWorkerKind(kind: JobKind): kind is WorkerKind {
  return JOBS[kind].runBy === "worker";
}

/** Never rejects. */
async function runAndPause(
  work: Work,
  job: ClaimedJob<WorkerKind>,
  { stop, lost }: { stop: AbortSignal; lost: AbortSignal },
): Promise<void> {
  const { unrecorded } = work;
  const isRecorded = await withStatementTimeout(STATEMENT_MS, () => runOne(work, job, lost));
  if (isRecorded) {
    unrecorded.delete(job.subject);
    return;
  }
  const count = (unrecorded.get(job.subject) ?? 0) + 1;
  unrecorded.set(job.subject, count);
  const pauseMs = Math.min(UNRECORDED_PAUSE_MS * 2 ** (count - 1), MAX_UNRECORDED_PAUSE_MS);
  await delay(pauseMs, AbortSignal.any([stop, lost])).catch(() => undefined);
}

/** Each run is a part of the trace of what has asked for the job, also in another process. */
function inTraceOf(
  { tracing }: Pick<Services, "tracing">,
  { id, kind, attempts, regionId, traceparent, tracestate }: ClaimedJob,
  work: () => Promise<void>,
): Promise<void> {
  if (tracing === undefined) return work();
  const parent = traceparent === null ? undefined : { traceparent, tracestate: tracestate ?? undefined };
  const attributes = {
    "tenantry.job.id": id,
    "tenantry.job.kind": kind,
    "tenantry.job.attempt": attempts,
    "tenantry.region_id": regionId ?? undefined,
  };
  return inSpan(tracing.begin(`job ${kind}`, "consumer", { parent, attributes }), work);
}

/** Runs it to its end. Never rejects. Returns whether its end stands at home: else it is due again at once. */
async function runOne({ services, handlers }: Work, job: ClaimedJob<WorkerKind>, lost: AbortSignal): Promise<boolean> {
  const run = new JobRun(services, job, lost);
  try {
    try {
      // The table pairs each kind with its handler; the compiler cannot follow that through the union.
      const handle = handlers[job.kind] as (services: Services, run: JobRun<WorkerKind>) => Promise<void>;
      await inTraceOf(services, job, async () => {
        await handle(services, run);
        await run.finish();
      });
      services.metrics.jobAttempted(job.kind, "done");
    } catch (error) {
      services.metrics.jobAttempted(job.kind, "failed");
      services.logger.warn({ err: error, job: job.kind, subject: job.subject }, "a job failed");
      if (!lost.aborted) await run.fail(error, { retries: true });
    }
    return true;
  } catch (error) {
    services.logger.warn({ err: error, job: job.kind }, "a job's end could not be recorded");
    return false;
  }
}
