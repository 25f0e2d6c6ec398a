/** Where the slots of the links that are awake stand. */
import type { CarrierContext } from "#engine/replication/carrier-options";
import { namesOf, type Runtime } from "#engine/replication/link-runtime";
import type { Direction } from "#engine/replication/names";
import { type Observation, observeHome, observeRegion } from "#engine/replication/observe";

/**
 * Notes where the slots of what is awake stand, and gives those that are `fresh` their target. `requireTimeline` throws when a
 * server is on another history.
 */
export async function lookAtSlots(
  { home, region }: Pick<CarrierContext, "home" | "region">,
  awake: readonly Runtime[],
  fresh: readonly Runtime[],
  requireTimeline: (server: "home" | "region", timeline: string) => void,
): Promise<void> {
  const of = (direction: Direction) => awake.filter(({ id }) => id.direction === direction);
  const [directories, catalogs] = [of("directory"), of("catalog")];
  const freshDirectories = fresh.filter(({ id }) => id.direction === "directory").map(({ id }) => id.databaseId);
  const [atHome, inRegion] = await Promise.all([
    directories.length === 0 ? undefined : observeHome(home, namesOf(directories), freshDirectories),
    catalogs.length === 0 ? undefined : observeRegion(region, namesOf(catalogs)),
  ]);
  // Nothing that was read is used: a ticket must not be answered by what was confirmed on another history.
  if (atHome !== undefined) requireTimeline("home", atHome.timeline);
  if (inRegion !== undefined) requireTimeline("region", inRegion.timeline);
  const take = (runtimes: readonly Runtime[], observed: Observation | undefined) => {
    if (observed === undefined) return;
    for (const runtime of runtimes) {
      runtime.sample = observed.slots.get(runtime.link.name);
      if (fresh.includes(runtime)) {
        runtime.target = observed.current;
        runtime.changes = observed.changes.get(runtime.id.databaseId) ?? runtime.changes;
      }
    }
  };
  take(directories, atHome);
  take(catalogs, inRegion);
}
