import { asParent, listed, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { validId } from "#base/kernel/validation";
import { listJobs } from "#engine/jobs/list-jobs";
import { readableFailure } from "#engine/jobs/failure";
import { JOB_STATES } from "#engine/jobs/job";
import { type Builder, perSchema } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";
import { addNodeType, Node } from "#api/graphql/nodes";

const JobState = perSchema((builder) =>
  builder.enumType("JobState", {
    description:
      "WAITING: it runs when it is due, or again after a failure. FAILED: a person has to change something first.",
    values: JOB_STATES,
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
        resolve: ({ id }, _, { loaders }) => loaders.jobSteps.load(id),
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
            },
            page,
          ),
        ),
    }),
  );
}

/** Work that touches several servers. */
export const jobs = defineModule({
  name: "jobs",
  policy: {
    Query: {
      jobs: row(listed("read-jobs")),
    },
    Job: asParent(
      "id kind subject requestedBy requestedAt state step attempts lastError dueAt startedAt finishedAt result steps",
    ),
    JobStep: asParent("name attempts startedAt finishedAt"),
  },
  longTexts: ["Job.result"],
  types: [defineJobStep, defineJob, defineQueries],
});
