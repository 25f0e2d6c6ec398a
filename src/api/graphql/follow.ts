/** What subscriptions have in common that go on from a cursor. */
import type { Followed } from "#engine/events/follow-log";
import { type Builder, perSchema } from "#api/graphql/builder";
import type { GraphQLContext } from "#api/graphql/context";

/** Points of a subscription that takes a cursor: it looks through what happened since. */
export const FOLLOWING_POINTS = 10;

/** What happened to an object. */
export const ChangeKind = perSchema((builder) =>
  builder.enumType("ChangeKind", {
    description: "What happened to an object.",
    values: {
      CREATED: { description: "It is new." },
      UPDATED: { description: "It is another than before." },
      DELETED: { description: "It is gone." },
    },
  }),
);

type Arguments = Parameters<Parameters<Builder["subscriptionField"]>[1]>[0];

/** The argument `after` of a subscription. */
export function afterArgument(t: Arguments) {
  return t.arg.string({
    required: false,
    description:
      "The cursor of the last event that was seen: `extensions.cursor` of its message, or `eventCursor`. What happened since comes first. An hour and 10,000 changes of the organization are kept; beyond that: EVENTS_GONE, then read the list anew. Left out: from now on.",
  });
}

/** Hands the event on, and its cursor to the message's `extensions`. */
export function telling<Event>(context: GraphQLContext, { event, cursor }: Followed<Event>): Event {
  context.cursor = cursor;
  return event;
}
