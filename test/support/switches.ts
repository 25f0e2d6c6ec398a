/** The switch of a move as home records it, each by an attempt of its own. */
import { newId } from "../../src/base/kernel/ids.ts";
import * as atHome from "../../src/engine/home/switch-placement.ts";

type Context = Parameters<typeof atHome.switchPlacement>[0];
type Switched = Parameters<typeof atHome.switchPlacement>[1];

export async function switchPlacement(context: Context, move: Switched): Promise<boolean> {
  return atHome.switchPlacement(context, move, await attemptAt(context, move));
}

export async function switchBack(context: Context, move: Switched): Promise<boolean> {
  return atHome.switchBack(context, move, await attemptAt(context, move));
}

/** Where there is no move, one that nobody has begun. */
function attemptAt(context: Context, { placementId }: Switched): Promise<string> {
  return atHome.beginAttempt(context, placementId).catch(() => newId());
}
