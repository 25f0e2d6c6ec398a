/** A subscription to the rows of a shape that are added to a row of another. */
import type { Actor } from "#engine/auth/actor";
import type { Row as PolicyRow } from "#engine/auth/policy-table";
import { notFound } from "#base/kernel/errors";
import { validId } from "#base/kernel/validation";
import { addedRows, readLog } from "#engine/events/event-log";
import { type Followed, followLog } from "#engine/events/follow-log";
import { listenWhereItIs, locateRow, type Location, organizationIdOf } from "#engine/routing/location";
import { PLACEMENT_CHANNEL } from "#engine/home/placements";
import type { Services } from "#engine/services";
import { afterArgument, FOLLOWING_POINTS, telling } from "#api/graphql/follow";
import type { Part } from "#api/graphql/module";
import { columnOf, type ContentRow } from "#api/graphql/shapes/fields";
import { readRows } from "#api/graphql/shapes/rows";
import type { Shape } from "#api/graphql/shapes/shape";

/** What a team's program does when it adds a row by the library, as the audit log calls it (tenantry.record_write). */
const ADDED_BY_LIBRARY = "insert";

/** What is followed: rows that belong to others by a column, how they are added, and the channel on which that is announced. */
type FollowedRows = { name: string; shape: Shape; of: Shape; by: string; channel: string; actions: readonly string[] };

/** The field `Subscription.<name>`, whose arguments are `after` and one with the name of `by`. */
export function followAdded<Row extends ContentRow, Parent extends ContentRow>(
  name: string,
  shape: Shape<Row>,
  options: {
    description: string;
    policy: PolicyRow;
    /** What the rows belong to, and the property with its id. */
    of: Shape<Parent>;
    by: keyof Row & string;
    /** The mutations that add such rows, and their channel. */
    made: readonly Part[];
    channel: string;
  },
): Part {
  const { description, of, by, channel, made } = options;
  const actions = [...made.flatMap(({ audit = {} }) => Object.keys(audit)), ADDED_BY_LIBRARY];
  const rows = { name, shape: shape as unknown as Shape, of: of as unknown as Shape, by, channel, actions };
  return {
    policy: { Subscription: { [name]: options.policy } },
    weights: { [`Subscription.${name}`]: FOLLOWING_POINTS },
    types: [
      (builder) =>
        builder.subscriptionField(name, (t) =>
          t.field({
            type: shape.type(builder),
            description: `${description} NOT_FOUND for one that the caller may not see.`,
            args: {
              [by]: t.arg.id({ required: true, description: "What they are added to." }),
              after: afterArgument(t),
            },
            subscribe: (_, args, { actor, services }) => {
              const { [by]: parentId = "", after } = args as Record<string, string | null | undefined>;
              return follow(rows, services, actor, validId(by, parentId ?? ""), after ?? null);
            },
            resolve: (told, _, context) => telling(context, told) as never,
          }),
        ),
    ],
  };
}

/**
 * Follows what is added to a row, whichever process adds it. Each is read for the actor when it comes: somebody who may no longer
 * see the row gets NOT_FOUND and the stream ends.
 */
async function follow(
  { name, shape, of, by, channel, actions }: FollowedRows,
  services: Services,
  actor: Actor,
  parentId: string,
  after: string | null,
): Promise<AsyncIterableIterator<Followed<ContentRow>>> {
  const { location: first } = await locate(of, services, actor, parentId);
  const added = {
    table: shape.table,
    parentColumn: columnOf(shape, by),
    parentId,
    kinds: [shape.subject, shape.table],
    actions,
  };
  let listening: Awaited<ReturnType<typeof listenWhereItIs>> | undefined;
  return followLog<ContentRow>(
    services,
    {
      read: async (position) => {
        // Where it is now, and whether the actor may look there.
        const { location } = await locate(of, services, actor, parentId);
        await listening?.follow(location);
        const whose = organizationIdOf(location.route);
        return location.run((database) => readLog(database, addedRows(database, whose, added), position));
      },
      hear: async (wake) => {
        // Nothing is said when the connection has come back: something may have been missed.
        const heard = await listenWhereItIs(services, first, channel, (payload) => {
          if (payload === "" || payload.startsWith(parentId)) wake();
        });
        listening = heard;
        // After a move, announcements come from another database.
        const unhear = await services.listener.on(PLACEMENT_CHANNEL, (payload) => {
          if (payload === "" || (first.route.kind === "tenant" && payload === first.route.placementId)) wake();
        });
        return () => {
          heard.stop();
          unhear();
        };
      },
    },
    {
      about: `${name} ${parentId}`,
      after,
      show: async ({ subjectId }) => {
        const location = await locateRow(services, actor, parentId, of.name);
        const [row] = await readRows(shape, location, [subjectId]);
        // Deleted again before it was read, or said to be another's: nothing to show.
        return row !== undefined && (row as Record<string, unknown>)[by] === parentId ? row : undefined;
      },
    },
  );
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
