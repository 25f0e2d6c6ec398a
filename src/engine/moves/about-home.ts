/** What home says of a move: what holds the placement, which schema both sides have, and which way content goes. Pure. */
import type { Placement } from "#engine/home/placements";
import { isSameVersion, type SchemaVersion } from "#engine/migrations/schema-version";
import { blocker, type Finding, remark } from "#engine/moves/findings";
import type { HomeFacts } from "#engine/moves/read-home";
import type { MoveWish } from "#engine/moves/wish";

/** Where it is already, and what else keeps it from going. */
export function aboutHome(
  placement: Placement,
  { to, isolation }: MoveWish,
  { other, jobs, isRetired }: HomeFacts,
  fromKey: string,
): Finding[] {
  const { state } = placement;
  const found: Finding[] = [];
  if (state === "MOVING")
    found.push(blocker("The placement is being moved already: wait until it is ACTIVE, or cancel that move."));
  else if (state !== "ACTIVE") found.push(blocker(`Only an ACTIVE placement can be moved: this one is ${state}.`));
  // A job that has brought the placement to where it is notes its end a moment later.
  const holding = jobs.filter(
    (kind) => kind !== "move-placement" && (state !== "ACTIVE" || kind !== "provision-placement"),
  );
  for (const kind of holding) found.push(blocker(`The job ${kind} holds the placement: let it end first.`));
  if (isRetired) found.push(blocker(`The region ${to.key} is being retired: it takes no more placements.`));
  if (placement.regionId === to.id && placement.isolation === isolation)
    found.push(blocker(`The placement is ${isolation} in region ${fromKey} already.`));
  if (other !== null)
    found.push(
      blocker(
        `The organization has another placement in region ${to.key}, which is ${other}: a region holds one of each.`,
      ),
    );
  return found;
}

/** Both sides have the same schema for as long as the move takes. `latest`: what a database gets that is made for it. */
export function aboutSchema(
  { schemaVersion, migratingTo }: Pick<Placement, "schemaVersion" | "migratingTo">,
  { isolation }: Pick<MoveWish, "isolation">,
  { shared, isMigrating }: HomeFacts,
  latest: SchemaVersion,
): Finding[] {
  const joined = isolation === "SHARED" ? shared : null;
  const version = joined?.version ?? latest;
  if (isMigrating || migratingTo !== null || joined?.migratingTo != null)
    return [blocker("Tenant databases are being migrated: a move waits until that is done.")];
  if (schemaVersion !== null && !isSameVersion(schemaVersion, version))
    return [
      blocker(
        "The database that it is in and the one that it would go to have different schema versions.",
        "Run tenantry migrate first.",
      ),
    ];
  return [];
}

/** Which workers content may pass, and where it flows after the switch. */
export function aboutWay(
  { to, throughOthers, keepSourceSeconds }: MoveWish,
  workers: { isUp: boolean; worksHere: boolean },
  { fromKey, isFar }: { fromKey: string; isFar: boolean },
): Finding[] {
  const found: Finding[] = [];
  const regions = isFar ? `${fromKey} or ${to.key}` : fromKey;
  if (!workers.isUp)
    found.push(
      remark(
        "No worker is up now: the move begins when one is, and whether the servers reach its gateway is not known.",
      ),
    );
  else if (!workers.worksHere && throughOthers)
    found.push(remark(`Content passes a worker elsewhere: no worker that is up works for region ${regions}.`));
  else if (!workers.worksHere)
    found.push(
      blocker(
        `Content would pass a worker elsewhere, as no worker that is up works for region ${regions}. Start one there, or allow it (through, in the program --through).`,
      ),
    );
  if (isFar && keepSourceSeconds > 0)
    found.push(
      remark(
        `For ${durationOf(keepSourceSeconds)} after the switch, what is written in region ${to.key} is written back into region ${fromKey} too. Where content may not be there any more, keep no source.`,
      ),
    );
  return found;
}

/** `2 days`, `90 minutes` */
function durationOf(seconds: number): string {
  const units = [
    { unit: "day", size: 86_400 },
    { unit: "hour", size: 3_600 },
    { unit: "minute", size: 60 },
  ];
  const { unit, size } = units.find(({ size: one }) => seconds >= one && seconds % one === 0) ?? {
    unit: "second",
    size: 1,
  };
  const count = seconds / size;
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
