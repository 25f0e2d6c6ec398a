import type { Actor } from "#engine/auth/actor";
import { EventStream, readingFrom } from "#base/kernel/event-stream";
import { TenantryError } from "#base/kernel/errors";
import { isUuid } from "#base/kernel/ids";
import type { Listeners } from "#base/postgres/listener";
import { COMMENT_CHANNEL, type Comment, getComment } from "#app/comments/comments";
import { inRegion } from "#engine/routing/region-failure";
import type { WorkspaceContext } from "#engine/routing/location";
import { locateResource } from "#app/resources/resources";

/**
 * Follows the comments added to a resource from now on, whichever process adds them. Each is read for the actor
 * when it comes: who may no longer see the resource gets NOT_FOUND and the stream ends.
 */
export async function followComments(
  context: WorkspaceContext & { listeners: Listeners },
  actor: Actor,
  resourceId: string,
): Promise<AsyncIterableIterator<Comment>> {
  const { route, resource: found } = await locateResource(context, actor, resourceId);
  let stop: () => void = () => undefined;
  const added = new EventStream<string>(() => stop());
  const database = route.kind === "home" ? context.home : route.openWhole();
  const listen = () =>
    context.listeners.on(database, COMMENT_CHANNEL, (payload) => {
      const [resource = "", id = ""] = payload.split(" ");
      if (resource === found.id && isUuid(id)) added.push(id);
    });
  stop = route.kind === "home" ? await listen() : await inRegion(route, listen);
  return readingFrom(added, readEach(context, actor, resourceId, added));
}

async function* readEach(
  context: WorkspaceContext,
  actor: Actor,
  resourceId: string,
  added: EventStream<string>,
): AsyncGenerator<Comment> {
  try {
    for await (const id of added) {
      const comment = await getComment(context, actor, resourceId, id).catch((error: unknown) => {
        // Erased again before it was read: nothing to show. A resource that is gone ends the stream.
        if (error instanceof TenantryError && error.message.startsWith("Comment")) return undefined;
        throw error;
      });
      if (comment !== undefined) yield comment;
    }
  } finally {
    await added.return();
  }
}
