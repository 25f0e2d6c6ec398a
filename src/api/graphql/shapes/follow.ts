/** A subscription to the rows of a shape that are added to a row of another. */
import type { Actor } from "#engine/auth/actor";
import type { Row as PolicyRow } from "#engine/auth/policy-table";
import { notFound } from "#base/kernel/errors";
import { EventStream, readingFrom } from "#base/kernel/event-stream";
import { isUuid } from "#base/kernel/ids";
import { validId } from "#base/kernel/validation";
import type { Part } from "#api/graphql/module";
import type { ContentRow } from "#api/graphql/shapes/fields";
import { readRows } from "#api/graphql/shapes/rows";
import type { Shape } from "#api/graphql/shapes/shape";
import type { Services } from "#engine/services";
import { listenAt, locateRow, type Location } from "#engine/routing/location";

/** What is followed: rows that belong to others by a column, and the channel on which `create` announces them. */
type Followed = { shape: Shape; of: Shape; by: string; channel: string };

/** The field `Subscription.<name>`, whose argument has the name of `by`. Each row is read for the caller when it comes. */
export function followAdded<Row extends ContentRow, Parent extends ContentRow>(
  name: string,
  shape: Shape<Row>,
  options: {
    description: string;
    policy: PolicyRow;
    /** What the rows belong to, and the property with its id. */
    of: Shape<Parent>;
    by: keyof Row & string;
    channel: string;
  },
): Part {
  const { description, of, by, channel } = options;
  const followed = { shape: shape as unknown as Shape, of: of as unknown as Shape, by, channel };
  return {
    policy: { Subscription: { [name]: options.policy } },
    types: [
      (builder) =>
        builder.subscriptionField(name, (t) =>
          t.field({
            type: shape.type(builder),
            description: `${description} NOT_FOUND for one that the caller may not see.`,
            args: { [by]: t.arg.id({ required: true, description: "What they are added to." }) },
            subscribe: (_, args, { actor, services }) =>
              follow(followed, services, actor, validId(by, (args as Record<string, string>)[by] ?? "")),
            resolve: (row) => row as never,
          }),
        ),
    ],
  };
}

/**
 * Follows what is added to a row from now on, whichever process adds it. Each is read for the actor when it comes: who may
 * no longer see the row gets NOT_FOUND and the stream ends.
 */
async function follow(
  followed: Followed,
  services: Services,
  actor: Actor,
  parentId: string,
): Promise<AsyncIterableIterator<ContentRow>> {
  const { location, row: parent } = await locate(followed.of, services, actor, parentId);
  let stop: () => void = () => undefined;
  const added = new EventStream<string>(() => stop());
  stop = await listenAt(services, location, followed.channel, (payload) => {
    const [about = "", id = ""] = payload.split(" ");
    if (about === parent.id && isUuid(id)) added.push(id);
  });
  return readingFrom(added, readEach(followed, services, actor, parentId, added));
}

async function* readEach(
  { shape, of, by }: Followed,
  services: Services,
  actor: Actor,
  parentId: string,
  added: EventStream<string>,
): AsyncGenerator<ContentRow> {
  try {
    for await (const id of added) {
      // A row that is gone ends the stream.
      const { location } = await locate(of, services, actor, parentId);
      const [row] = await readRows(shape, location, [id]);
      // Erased again before it was read, or announced by somebody else: nothing to show.
      if (row !== undefined && (row as Record<string, unknown>)[by] === parentId.toLowerCase()) yield row;
    }
  } finally {
    await added.return();
  }
}

/** A row and where it lives, read there: also what the catalog has not heard of yet is found. */
async function locate(
  shape: Shape,
  services: Services,
  actor: Actor,
  id: string,
): Promise<{ location: Location; row: ContentRow }> {
  const location = await locateRow(services, actor, id, shape.name);
  const [row] = await readRows(shape, location, [id]);
  if (row === undefined) throw notFound(shape.name);
  return { location, row };
}
