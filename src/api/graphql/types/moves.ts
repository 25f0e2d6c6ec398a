import { asParent, inOrganization, row } from "#engine/auth/policy-table";
import { defineModule } from "#api/graphql/module";
import { validId } from "#base/kernel/validation";
import { findMoves, type Move, MOVE_STEPS } from "#engine/home/moves";
import type { Isolation as IsolationName, Placement } from "#engine/home/placements";
import { readableFailure } from "#engine/jobs/failure";
import { type MoveInput, type MovePlan, planMove, requestCancel, requestMove } from "#engine/moves/request-move";
import { type Builder, perSchema } from "#api/graphql/builder";
import { defineLoaders } from "#api/graphql/loaders";
import { Isolation } from "#api/graphql/types/enums";
import DataLoader from "dataloader";

/** A move as it is shown: one that is under way, or one that was only looked ahead at. */
type Shown = Pick<Move, "step" | "startedAt" | "rowsCopied" | "bytesCopied" | "rowsTotal" | "lagBytes" | "heldMs"> &
  Pick<Move, "verifiedAt" | "keepUntil" | "cancelledAt" | "isSwitched"> & {
    findings: readonly string[];
    obstacles: readonly string[];
    bytesTotal: number | null;
    estimateSeconds: number | null;
    from: { regionId: string; isolation: IsolationName };
    to: { regionId: string; isolation: IsolationName };
  };

/** What a dry run has found, by the placement that it answers with. */
const planned = new WeakMap<Placement, Shown>();

const moves = defineLoaders((services) => ({
  byPlacement: new DataLoader<string, Move | null>(async (ids) => {
    const found = new Map((await findMoves(services, ids)).map((move) => [move.placementId, move]));
    return ids.map((id) => found.get(id) ?? null);
  }),
}));

function shownMove(move: Move): Shown {
  return { ...move, obstacles: [], bytesTotal: null, estimateSeconds: null };
}

function shownPlan({ placement, wish, findings, rowsTotal, bytesTotal, estimateSeconds }: MovePlan): Shown {
  return {
    step: "PREPARING",
    startedAt: new Date(),
    rowsCopied: 0,
    bytesCopied: 0,
    rowsTotal,
    lagBytes: null,
    heldMs: null,
    verifiedAt: null,
    keepUntil: null,
    cancelledAt: null,
    isSwitched: false,
    bytesTotal,
    estimateSeconds,
    findings: findings.map(({ sentence }) => sentence),
    obstacles: findings.filter(({ blocks }) => blocks).map(({ sentence }) => sentence),
    from: placement,
    to: { regionId: wish.to.id, isolation: wish.isolation },
  };
}

const Step = perSchema((builder) =>
  builder.enumType("MoveStep", {
    description:
      "Where a move is. After SWITCHING the placement is in the target. KEEPING_SOURCE: changes flow back, so that it can go back. CLEANING: what is left where it is not is removed. CANCELLING: it was called off.",
    values: MOVE_STEPS,
  }),
);

const End = perSchema((builder) =>
  builder.objectRef<Shown["from"]>("MoveEnd").implement({
    description: "One side of a move.",
    fields: (t) => ({
      region: t.field({
        type: "Region",
        nullable: true,
        description: "Its region; null: it is being retired.",
        resolve: ({ regionId }, _, { loaders }) => loaders.regions.load(regionId),
      }),
      isolation: t.expose("isolation", { type: Isolation(builder), description: "How the data is kept apart there." }),
    }),
  }),
);

const PlacementMove = perSchema((builder) =>
  builder.objectRef<Shown>("PlacementMove").implement({
    description: "A placement's way to another tenant database, or what was found when it was looked ahead at.",
    fields: (t) => ({
      step: t.expose("step", { type: Step(builder), description: "Where it is." }),
      startedAt: t.expose("startedAt", { type: "DateTime", description: "When it began." }),
      from: t.field({ type: End(builder), description: "Where it began.", resolve: ({ from }) => from }),
      to: t.field({ type: End(builder), description: "Where it goes.", resolve: ({ to }) => to }),
      isSwitched: t.exposeBoolean("isSwitched", { description: "Whether the placement is in the target." }),
      rowsCopied: t.exposeFloat("rowsCopied", { description: "Rows that were copied." }),
      bytesCopied: t.exposeFloat("bytesCopied", { description: "Bytes of them, as they were sent." }),
      rowsTotal: t.exposeFloat("rowsTotal", {
        nullable: true,
        description: "Rows that there were at the beginning, about; null: not known.",
      }),
      bytesTotal: t.exposeFloat("bytesTotal", {
        nullable: true,
        description: "Bytes that they take, with indexes; of a dry run alone.",
      }),
      estimateSeconds: t.exposeFloat("estimateSeconds", {
        nullable: true,
        description: "How many seconds it may take; of a dry run alone.",
      }),
      lagBytes: t.exposeFloat("lagBytes", {
        nullable: true,
        description: "Bytes of WAL that the target has yet to receive; null: not known.",
      }),
      heldWritesMs: t.float({
        nullable: true,
        description: "The longest time that writes were held, in milliseconds; null: not yet.",
        resolve: ({ heldMs }) => heldMs,
      }),
      findings: t.stringList({
        description: "What was found before it began and on its way, in sentences, the worst first.",
        resolve: ({ findings }, _, { actor }) => findings.map((text) => readableFailure(actor, text) ?? ""),
      }),
      obstacles: t.stringList({
        description: "Those of the findings that keep it from beginning; of a dry run alone.",
        resolve: ({ obstacles }, _, { actor }) => obstacles.map((text) => readableFailure(actor, text) ?? ""),
      }),
      verifiedAt: t.expose("verifiedAt", {
        type: "DateTime",
        nullable: true,
        description: "When both sides were last found equal; null: not yet.",
      }),
      keepUntil: t.expose("keepUntil", {
        type: "DateTime",
        nullable: true,
        description: "Until when it can go back with what was written since; null: it cannot, or is not there yet.",
      }),
      cancelledAt: t.expose("cancelledAt", {
        type: "DateTime",
        nullable: true,
        description: "When it was called off; null: it was not.",
      }),
    }),
  }),
);

const MovePlacementInput = perSchema((builder) =>
  builder.inputType("MovePlacementInput", {
    description: "What movePlacement takes.",
    fields: (t) => ({
      placementId: t.id({ required: true, description: "Which access." }),
      regionKey: t.string({ required: false, description: "To which region. Left out: in its region." }),
      isolation: t.field({
        type: Isolation(builder),
        required: false,
        description: "How the data is kept apart there. Left out: as it is.",
      }),
      dryRun: t.boolean({
        defaultValue: false,
        description: "Only look ahead: move says what was found, and nothing is changed or stored.",
      }),
      keepSourceSeconds: t.int({
        defaultValue: 0,
        description:
          "How long changes flow back after the switch, so that the placement can go back with them: 30 days at most. Between two regions, new data is written into the old one for that time.",
      }),
      through: t.boolean({
        defaultValue: false,
        description: "Content may pass a worker that works for neither region.",
      }),
    }),
  }),
);

function defineMove(builder: Builder): void {
  builder.objectFields("Placement", (t) => ({
    move: t.field({
      type: PlacementMove(builder),
      nullable: true,
      description: "Its move, until nothing of it is left where it was; null: it is on none.",
      resolve: async (placement, _, { loaders }) => {
        const plan = planned.get(placement);
        if (plan !== undefined) return plan;
        const move = await loaders.of(moves).byPlacement.load(placement.id);
        return move === null ? null : shownMove(move);
      },
    }),
  }));
}

function defineMutations(builder: Builder): void {
  builder.mutationFields((t) => ({
    movePlacement: t.field({
      type: "Placement",
      description:
        "Moves an organization's content to another region, or between a database of its own and the shared one, while it is used. Returns when it has begun: the state is MOVING until it is ACTIVE there. CONFLICT, with what keeps it from beginning. With dryRun it only says what it found.",
      args: {
        input: t.arg({ type: MovePlacementInput(builder), required: true, description: "What it takes." }),
      },
      resolve: async (_, { input }, { actor, services }) => {
        const wanted: MoveInput = {
          placementId: validId("placementId", input.placementId),
          regionKey: input.regionKey ?? null,
          isolation: input.isolation ?? null,
          keepSourceSeconds: input.keepSourceSeconds ?? 0,
          throughOthers: input.through ?? false,
        };
        if (input.dryRun !== true) return requestMove(services, actor, wanted);
        const plan = await planMove(services, actor, wanted);
        planned.set(plan.placement, shownPlan(plan));
        return plan.placement;
      },
    }),
    cancelMove: t.field({
      type: "Placement",
      description:
        "Calls a move off. Before the switch the placement stays where it was. Afterwards, while the source is kept, it goes back with what was written since. CONFLICT when it is on no move, or when it is too late.",
      args: { placementId: t.arg.id({ required: true, description: "Which access." }) },
      resolve: (_, { placementId }, { actor, services }) =>
        requestCancel(services, actor, validId("placementId", placementId)),
    }),
  }));
}

/** Moves of placements to other databases. */
export const placementMoves = defineModule({
  name: "moves",
  policy: {
    Mutation: {
      movePlacement: row(inOrganization("manage-placements")),
      cancelMove: row(inOrganization("manage-placements")),
    },
    Placement: asParent("move"),
    PlacementMove: asParent(
      "step startedAt from to isSwitched rowsCopied bytesCopied rowsTotal bytesTotal estimateSeconds lagBytes heldWritesMs findings obstacles verifiedAt keepUntil cancelledAt",
    ),
    MoveEnd: asParent("region isolation"),
  },
  audit: {
    movePlacement: { subject: "PLACEMENT", id: "input.placementId" },
    cancelMove: { subject: "PLACEMENT", id: "placementId" },
  },
  // It asks both servers, and has them connect to the gateway.
  weights: { "Mutation.movePlacement": 50 },
  types: [defineMove, defineMutations],
});
