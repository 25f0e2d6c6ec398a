import { validId } from "#base/kernel/validation";
import { listOperations } from "#engine/jobs/list-operations";
import { readableFailure } from "#engine/jobs/failure";
import { OPERATION_STATES } from "#engine/jobs/operation";
import { builder } from "#api/graphql/builder";
import { connectionType, pageArguments } from "#api/graphql/connections";

const OperationState = builder.enumType("OperationState", {
  description:
    "WAITING: it runs when it is due, or again after a failure. FAILED: a person has to change something first.",
  values: OPERATION_STATES,
});

builder.objectType("OperationStep", {
  description: "A step of an operation. Every step can run again.",
  fields: (t) => ({
    name: t.exposeString("name", { description: "What it does." }),
    attempts: t.exposeInt("attempts", { description: "How often it was begun." }),
    startedAt: t.expose("startedAt", { type: "DateTime", nullable: true, description: "When it was last begun." }),
    finishedAt: t.expose("finishedAt", { type: "DateTime", nullable: true, description: "When it was done." }),
  }),
});

builder.objectType("Operation", {
  description: "Something asked for that touches several servers: how far it is, and what came of it.",
  fields: (t) => ({
    id: t.exposeID("id", { description: "UUIDv7." }),
    kind: t.exposeString("kind", { description: "Such as provision-placement or revoke-placement." }),
    subject: t.exposeString("subject", {
      description: "What it is about; two operations on one subject never run at the same time.",
    }),
    requestedBy: t.exposeString("requestedBy", {
      description: "operator, system, a user's id, or key: and a key's id.",
    }),
    requestedAt: t.expose("requestedAt", { type: "DateTime", description: "When it was asked for." }),
    state: t.expose("state", { type: OperationState, description: "How it stands." }),
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
      type: ["OperationStep"],
      description: "The steps begun so far.",
      resolve: ({ id }, _, { loaders }) => loaders.operationSteps.load(id),
    }),
  }),
});

const Operations = connectionType("Operation", "Operation", (operation) => operation.id);

builder.queryField("operations", (t) =>
  t.field({
    type: Operations.connection,
    description: "Operations, newest first. The operator sees all; a user those of organizations that they own.",
    args: {
      ...pageArguments,
      placementId: t.arg.id({ required: false, description: "Only those on this placement." }),
      state: t.arg({ type: OperationState, required: false, description: "Only those in this state." }),
    },
    resolve: (_, args, { actor, services }) =>
      Operations.read(args, (page) =>
        listOperations(
          services,
          actor,
          {
            placementId: args.placementId == null ? null : validId("placementId", args.placementId),
            state: args.state ?? null,
          },
          page,
        ),
      ),
  }),
);
