import type { Actor } from "#engine/auth/actor";
import { PLACEMENT_CHANNEL, getPlacement, type Placement } from "#engine/home/placements";
import { EventStream, readingFrom } from "#base/kernel/event-stream";
import { JOB_CHANNEL } from "#engine/jobs/job";
import type { Services } from "#engine/services";

/** The placement now, after every change, and at each step of what is done to it. NOT_FOUND, and the end, when the actor may not see it (any more). */
export async function followPlacement(
  services: Pick<Services, "home" | "listener">,
  actor: Actor,
  id: string,
): Promise<AsyncIterableIterator<Placement>> {
  // Fails here, before the stream starts, for who may not see it.
  await getPlacement(services, actor, id);
  let stop: () => void = () => undefined;
  const changes = new EventStream<true>(() => stop());
  const stopState = await services.listener.on(PLACEMENT_CHANNEL, (changed) => {
    if (changed === id || changed === "") changes.push(true);
  });
  // Each step of what is done to it counts as a change.
  const stopSteps = await services.listener.on(JOB_CHANNEL, (payload) => {
    if (payload.includes(id)) changes.push(true);
  });
  stop = () => {
    stopState();
    stopSteps();
  };
  changes.push(true);
  return readingFrom(changes, readEach(services, actor, id, changes));
}

async function* readEach(
  services: Pick<Services, "home">,
  actor: Actor,
  id: string,
  changes: EventStream<true>,
): AsyncGenerator<Placement> {
  try {
    for await (const _ of changes) yield await getPlacement(services, actor, id);
  } finally {
    await changes.return();
  }
}
