/** A move as the console shows it, and the words for its steps. */
import { graphql, type ResultOf } from "../../api/graphql.ts";
import type { MoveStep } from "../../api/words.ts";
import { sentenceCase } from "../../ui/format.ts";

export const MOVE = graphql(`
  fragment Move on PlacementMove {
    step
    startedAt
    from { region { key } isolation }
    to { region { key } isolation }
    isSwitched
    rowsCopied
    bytesCopied
    rowsTotal
    lagBytes
    heldWritesMs
    findings
    verifiedAt
    keepUntil
    cancelledAt
  }
`);

export type MoveData = ResultOf<typeof MOVE>;

/** On the way there, in order. */
export const WAY = [
  "PREPARING",
  "COPYING",
  "FOLLOWING",
  "COMPARING",
  "SWITCHING",
] as const satisfies readonly MoveStep[];

export const STEP_WORDS: Record<MoveStep, string> = {
  PREPARING: "Preparing",
  COPYING: "Copying",
  FOLLOWING: "Following",
  COMPARING: "Comparing",
  SWITCHING: "Switching",
  KEEPING_SOURCE: "There, the source is kept",
  CLEANING: "Removing what is left",
  CANCELLING: "Called off",
};

type End = MoveData["from"];

/** `eu (dedicated)` */
export function endOf({ region, isolation }: End): string {
  return `${region?.key ?? "a region that is gone"} (${sentenceCase(isolation).toLowerCase()})`;
}
