import { Command } from "commander";
import { OPERATOR } from "#engine/auth/actor";
import { followMove, type MoveEnding } from "#cli/follow-move";
import { bytes, output, type OutputOptions, print, printJson } from "#cli/output";
import { onPlacement, recordedCommand } from "#cli/recorded";
import { explain, SOME_ID } from "#cli/reference";
import { withServices } from "#cli/services";
import { invalidInput, notFound } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { listPlacements } from "#engine/home/list-placements";
import { findMove } from "#engine/home/moves";
import { findPlacementById, type Isolation, ISOLATIONS, type Placement } from "#engine/home/placements";
import { type MoveInput, type MovePlan, planMove, requestCancel, requestMove } from "#engine/moves/request-move";
import type { Services } from "#engine/services";

type Options = OutputOptions & {
  to?: string;
  isolation?: string;
  dryRun?: boolean;
  keepSource?: string;
  through?: boolean;
  cancel?: boolean;
};

/** `tenantry move`: an organization's content to another region, or into another database, while it is used. */
export function moveCommand(): Command {
  const command = new Command("move")
    .description(
      "Move an organization's content to another region, or between a database of its own and the shared one, while it is used. Shows how far it is. Ctrl-C leaves it going.",
    )
    .argument("<what>", "The id of the organization, where it has one placement, or of the placement.")
    .option("--to <region>", "The key of the region. Without it: the region that it is in.")
    .option("--isolation <isolation>", "How it is kept apart there: shared or dedicated. Without it: as it is.")
    .option("--dry-run", "Only look ahead: what would keep it from moving, and how much it is.")
    .option(
      "--keep-source <time>",
      "How long it can go back with what was written since, such as 2d, 12h or 30m. Changes flow back for that time.",
    )
    .option("--through", "Let content pass a worker that works for neither region.")
    .option(
      "--cancel",
      "Call the move off that is under way. After the switch, while the source is kept, it goes back.",
    )
    .option("--json", "Print one JSON object.")
    .action((what: string, options: Options) => withServices((services) => move(services, what, options)));
  return explain(command, {
    example: `tenantry move ${SOME_ID} --to us --dry-run`,
    exitsWith1: "it was not moved, or with --dry-run something keeps it from moving",
    page: "how-to/move-an-organization.md",
  });
}

async function move(services: Services, what: string, options: Options): Promise<void> {
  const { id } = await findMoved(services, validId("what", what));
  if (options.cancel === true) return cancel(services, id, options);
  const input = inputOf(id, options);
  if (options.dryRun === true) return show(await planMove(services, OPERATOR, input), options);
  const begun = await recordedCommand(services, "movePlacement", onPlacement(id), () =>
    requestMove(services, OPERATOR, input),
  );
  const ending = await followMove(services, begun);
  output(options, { ...ending }, [describe(ending, id)]);
  if (ending.kind !== "moved") process.exitCode = 1;
}

/** By its own id, or by that of the only organization that has it. */
async function findMoved(services: Services, id: string): Promise<Placement> {
  const placement = await findPlacementById(services, id);
  if (placement !== undefined) return placement;
  const found = await listPlacements(services, OPERATOR, { organizationId: id, regionKey: null });
  const [first, second] = found;
  if (first === undefined) throw notFound("Placement");
  if (second !== undefined)
    throw invalidInput(
      "what",
      `The organization has ${found.length} placements. Name one of them: ${found.map((one) => `${one.id} (${one.regionKey})`).join(", ")}.`,
    );
  return first;
}

function inputOf(placementId: string, { to, isolation, keepSource, through }: Options): MoveInput {
  if (to === undefined && isolation === undefined)
    throw invalidInput("to", "Say where it goes: --to REGION, --isolation shared or --isolation dedicated.");
  return {
    placementId,
    regionKey: to ?? null,
    isolation: isolation === undefined ? null : isolationOf(isolation),
    keepSourceSeconds: keepSource === undefined ? 0 : secondsOf(keepSource),
    throughOthers: through === true,
  };
}

function isolationOf(text: string): Isolation {
  const found = ISOLATIONS.find((one) => one === text.toUpperCase());
  if (found === undefined) throw invalidInput("isolation", "--isolation must be shared or dedicated.");
  return found;
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `2d`, `12h`, `30m`, `45s` */
function secondsOf(text: string): number {
  const [, number, unit = ""] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  if (number === undefined)
    throw invalidInput("keepSource", "--keep-source must be a number and a unit, such as 2d, 12h, 30m or 45s.");
  return Number(number) * (UNITS[unit] ?? 1);
}

async function cancel(services: Services, placementId: string, options: Options): Promise<void> {
  const placement = await recordedCommand(services, "cancelMove", onPlacement(placementId), () =>
    requestCancel(services, OPERATOR, placementId),
  );
  const isSwitched = (await findMove(services, placementId))?.isSwitched === true;
  output(options, placement, [
    isSwitched
      ? "The placement goes back to where it was, with what was written since: see tenantry jobs."
      : "The move is called off. The placement stays where it was.",
  ]);
}

function show({ findings, rowsTotal, bytesTotal, estimateSeconds, wish, placement }: MovePlan, options: Options): void {
  const blocked = findings.some(({ blocks }) => blocks);
  if (blocked) process.exitCode = 1;
  if (options.json === true)
    return printJson({
      placementId: placement.id,
      to: { regionKey: wish.to.key, isolation: wish.isolation },
      findings,
      rowsTotal,
      bytesTotal,
      estimateSeconds,
    });
  print(`To region ${wish.to.key}, ${wish.isolation}.`);
  if (rowsTotal !== null)
    print(`About ${rowsTotal.toLocaleString("en")} rows, ${bytes(bytesTotal)}, ${estimateSeconds} s or so.`);
  for (const { sentence, blocks } of findings) print(`${blocks ? "In the way: " : ""}${sentence}`);
  print(blocked ? "It cannot be moved now." : "It can be moved.");
}

function describe(ending: MoveEnding, placementId: string): string {
  if (ending.kind === "left") return `The move goes on. tenantry move ${placementId} --cancel calls it off.`;
  if (ending.kind === "stayed")
    return `${placementId} was not moved: it is in region ${ending.regionKey}.${ending.reason === null ? "" : ` ${ending.reason}`}`;
  return [
    `${placementId} is ACTIVE in region ${ending.regionKey}.`,
    ...(ending.heldWritesMs === null ? [] : [`Writes were held for ${Math.round(ending.heldWritesMs)} ms.`]),
    ...(ending.keepUntil === null
      ? []
      : [`Until ${ending.keepUntil.toISOString()} it can go back: tenantry move ${placementId} --cancel.`]),
  ].join(" ");
}
