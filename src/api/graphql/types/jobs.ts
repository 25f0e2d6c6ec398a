import { asParent, everybody, inOrganization, listed, operatorOnly, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { TenantryError } from "#base/kernel/errors";
import { validId, validIds, validRegionKey } from "#base/kernel/validation";
import { recorded } from "#engine/audit/record";
import { followJobs } from "#engine/jobs/follow-jobs";
import { isRetriable, retryJob } from "#engine/jobs/retry-job";
import { getJob, type Job, listJobs } from "#engine/jobs/list-jobs";
import { readableFailure } from "#engine/jobs/failure";
import { JOB_STATES, JOBS } from "#engine/jobs/job";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { addNodeType, Node } from "#api/graphql/nodes";

const MAX_RETRIED = 100;

const JobState = perSchema((builder) =>
  builder.enumType("JobState", {
    description:
      "WAITING: it runs when it is due, or again after a failure. FAILED: a person has to change something first.",
    values: JOB_STATES,
  }),
);

const Kind = perSchema((builder) =>
  builder.objectRef<{ name: string; runBy: "worker" | "caller"; steps: readonly string[] }>("JobKind").implement({
    description: "A kind of jobs.",
    fields: (t) => ({
      name: t.exposeString("name", { description: "Such as provision-placement." }),
      steps: t.stringList({
        description: "What it does, in order. A job need not take every step.",
        resolve: ({ steps }) => [...steps],
      }),
      isRetriable: t.boolean({
        description: "Whether a worker runs it, so that retryJobs can; else a command does.",
        resolve: ({ runBy }) => runBy === "worker",
      }),
    }),
  }),
);

function defineJobStep(builder: Builder): void {
  builder.objectType("JobStep", {
    description: "A step of a job. Every step can run again.",
    fields: (t) => ({
      name: t.exposeString("name", { description: "What it does." }),
      attempts: t.exposeInt("attempts", { description: "How often it was begun." }),
      startedAt: t.expose("startedAt", { type: "DateTime", nullable: true, description: "When it was last begun." }),
      finishedAt: t.expose("finishedAt", { type: "DateTime", nullable: true, description: "When it was done." }),
      failure: t.exposeString("failure", {
        nullable: true,
        description: "Why the job failed last, at the step where it did.",
      }),
    }),
  });
}

function defineJob(builder: Builder): void {
  addNodeType(builder, "Job", (id, { loaders }) => loaders.jobs.load(id));
  builder.objectType("Job", {
    interfaces: [Node(builder)],
    description: "Something asked for that touches several servers: how far it is, and what came of it.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "UUIDv7." }),
      kind: t.exposeString("kind", { description: "Such as provision-placement or revoke-placement." }),
      subject: t.exposeString("subject", {
        description: "What it is about; two jobs on one subject never run at the same time.",
      }),
      requestedBy: t.exposeString("requestedBy", {
        description: "operator, system, a user's id, or key: and a key's id.",
      }),
      requestedAt: t.expose("requestedAt", { type: "DateTime", description: "When it was asked for." }),
      state: t.expose("state", { type: JobState(builder), description: "How it stands." }),
      step: t.exposeString("step", { nullable: true, description: "The step it is at, or failed at." }),
      attempts: t.exposeInt("attempts", { description: "How often it was begun." }),
      lastError: t.string({
        nullable: true,
        description: "Why it failed last. What a server said of it, the operator alone is shown.",
        resolve: ({ lastError }, _, { actor }) => readableFailure(actor, lastError),
      }),
      dueAt: t.expose("dueAt", { type: "DateTime", description: "While it waits: when it runs (again)." }),
      startedAt: t.expose("startedAt", { type: "DateTime", nullable: true, description: "When it was first begun." }),
      finishedAt: t.expose("finishedAt", { type: "DateTime", nullable: true, description: "When it was over." }),
      result: t.string({
        nullable: true,
        description: "What came of it as JSON text, such as the receipt of a revocation.",
        resolve: ({ result }) => (result == null ? null : JSON.stringify(result)),
      }),
      steps: t.field({
        type: ["JobStep"],
        description: "The steps begun so far.",
        resolve: async (job, _, { actor, loaders }) => {
          const failure = readableFailure(actor, job.lastError);
          const steps = await loaders.jobSteps.load(job.id);
          return steps.map((step) => Object.assign({ failure: step.name === job.step ? failure : null }, step));
        },
      }),
      organizationId: t.exposeID("organizationId", { nullable: true, description: "The organization that it is for." }),
      placementId: t.exposeID("placementId", {
        nullable: true,
        description: "The placement that it is on, which may be gone by now.",
      }),
      region: t.field({
        type: "Region",
        nullable: true,
        description: "The region that it works in; null: none, or one that is gone by now.",
        resolve: ({ regionId }, _, { loaders }) => (regionId === null ? null : loaders.regions.load(regionId)),
      }),
      isFailing: t.exposeBoolean("isFailing", {
        description: "It has failed, is tried again or was given up, and nobody has asked for the same since.",
      }),
      isRetriable: t.boolean({
        description: "Whether retryJobs runs it again: it is failing, and no command has to do it.",
        resolve: (job) => isRetriable(job),
      }),
    }),
  });
}

const Jobs = connectionType("Job", "Job", (job) => job.id);

function defineQueries(builder: Builder): void {
  builder.queryField("jobs", (t) =>
    t.field({
      type: Jobs.connection(builder),
      description: "Jobs, newest first. The operator sees all; a user those of organizations that they own.",
      args: {
        ...pageArguments(builder),
        organizationId: t.arg.id({ required: false, description: "Only those of this organization." }),
        placementId: t.arg.id({ required: false, description: "Only those on this placement." }),
        state: t.arg({ type: JobState(builder), required: false, description: "Only those in this state." }),
        kind: t.arg.string({ required: false, description: "Only those of this kind." }),
        regionKey: t.arg.string({ required: false, description: "Only those that work in this region." }),
        failing: t.arg.boolean({
          defaultValue: false,
          description: "Only those that are failing now, see Job.isFailing.",
        }),
      },
      resolve: (_, args, { actor, services }) =>
        Jobs.read(args, (page) =>
          listJobs(
            services,
            actor,
            {
              organizationId: args.organizationId == null ? null : validId("organizationId", args.organizationId),
              placementId: args.placementId == null ? null : validId("placementId", args.placementId),
              state: args.state ?? null,
              kind: args.kind ?? null,
              regionKey: args.regionKey == null ? null : validRegionKey("regionKey", args.regionKey),
              failing: args.failing === true,
            },
            page,
          ),
        ),
    }),
  );
  builder.queryFields((t) => ({
    job: t.field({
      type: "Job",
      nullable: true,
      description: "One job. NOT_FOUND when there is none that the caller may know of.",
      args: { id: t.arg.id({ required: true, description: "Its id." }) },
      resolve: (_, { id }, { actor, services }) => getJob(services, actor, validId("id", id)),
    }),
    jobKinds: t.field({
      type: [Kind(builder)],
      description: "The kinds of jobs that there are, each with its steps.",
      resolve: () => Object.entries(JOBS).map(([name, { runBy, steps }]) => ({ name, runBy, steps })),
    }),
  }));
}

const Retried = perSchema((builder) =>
  builder.objectRef<{ id: string; job: Job | null; refusal: string | null }>("RetriedJob").implement({
    description: "What became of one of the jobs that were to run again.",
    fields: (t) => ({
      id: t.exposeID("id", { description: "The id that was given." }),
      job: t.field({
        type: "Job",
        nullable: true,
        description: "The job that runs now; where the given one was given up, one with another id.",
        resolve: ({ job }) => job,
      }),
      refusal: t.exposeString("refusal", {
        nullable: true,
        description: "Why it was left as it is; null: it was not.",
      }),
    }),
  }),
);

function defineMutations(builder: Builder): void {
  builder.mutationField("retryJobs", (t) =>
    t.field({
      type: [Retried(builder)],
      description:
        "Runs jobs that are failing again, now: for after their cause was mended. What keeps one of them back keeps no other. For the operator.",
      args: { ids: t.arg.idList({ required: true, description: "Their ids, 100 at most." }) },
      resolve: async (_, args, { actor, services, callSource }) => {
        const ids = validIds("ids", args.ids, MAX_RETRIED);
        const retried: { id: string; job: Job | null; refusal: string | null }[] = [];
        for (const id of ids) {
          const what = { subjectKind: "JOB", subjectId: id, organizationId: null, placementId: null };
          try {
            const job = await recorded(services, { callSource, action: "retryJob", what }, () =>
              retryJob(services, actor, id),
            );
            retried.push({ id, job, refusal: null });
          } catch (error) {
            if (!(error instanceof TenantryError) || error.code === "HOME_UNAVAILABLE") throw error;
            retried.push({ id, job: null, refusal: error.message });
          }
        }
        return retried;
      },
    }),
  );
}

function defineSubscriptions(builder: Builder): void {
  builder.subscriptionField("jobChanged", (t) =>
    t.field({
      type: "Job",
      description:
        "Each job of an organization from now on, when it is asked for, begins a step, fails or ends; for its owners. Without an organization all jobs, for the operator. Changes of one job that come fast are one.",
      args: {
        organizationId: t.arg.id({ required: false, description: "Whose; left out: the operator's view of all." }),
      },
      subscribe: (_, { organizationId }, { actor, services }) =>
        followJobs(services, actor, organizationId == null ? null : validId("organizationId", organizationId)),
      resolve: (job: Job) => job,
    }),
  );
}

/** Work that touches several servers. */
export const jobs = defineModule({
  name: "jobs",
  policy: {
    Query: {
      jobs: row(listed("read-jobs")),
      job: row(inOrganization("read-jobs")),
      jobKinds: row(everybody),
    },
    Mutation: { retryJobs: row(operatorOnly) },
    Subscription: {
      jobChanged: row(inOrganization("read-jobs"), { "of everything": operatorOnly }),
    },
    Job: asParent(
      "id kind subject requestedBy requestedAt state step attempts lastError dueAt startedAt finishedAt result steps organizationId placementId region isFailing isRetriable",
    ),
    JobStep: asParent("name attempts startedAt finishedAt failure"),
    JobKind: asParent("name steps isRetriable"),
    RetriedJob: asParent("id job refusal"),
  },
  audit: { retryJobs: { subject: "JOB" } },
  longTexts: ["Job.result"],
  types: [defineJobStep, defineJob, defineQueries, defineMutations, defineSubscriptions],
});
