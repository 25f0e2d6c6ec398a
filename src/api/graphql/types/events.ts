/** Where events stand, and what happens to the members of an organization. */
import { requireInOrganization } from "#engine/auth/membership";
import { asParent, everybody, inOrganization, row } from "#engine/auth/policy-table";
import type { Actor } from "#engine/auth/actor";
import { clockMs } from "#base/kernel/clock";
import { validId } from "#base/kernel/validation";
import { logOfChanges, MEMBERSHIPS } from "#engine/events/changes";
import { type Followed, followLog } from "#engine/events/follow-log";
import { type Entry, since, toCursor } from "#engine/events/position";
import { findMemberships, type Membership, membershipId } from "#engine/home/memberships";
import type { Services } from "#engine/services";
import { type Builder, perSchema } from "#api/graphql/builder";
import { afterArgument, ChangeKind, FOLLOWING_POINTS, telling } from "#api/graphql/follow";
import { defineModule } from "#api/graphql/module";

/** What happened to a membership, and how it is now; null when it is gone. */
type Change = { kind: Entry["kind"]; id: string; membership: Membership | null };

const MembershipChange = perSchema((builder) =>
  builder.objectRef<Followed<Change>>("MembershipChange").implement({
    description: "Something that happened to a membership.",
    fields: (t) => ({
      cursor: t.exposeString("cursor", {
        description: "For `after`, to go on behind this. Also in `extensions.cursor`.",
      }),
      kind: t.field({ type: ChangeKind(builder), description: "What happened.", resolve: ({ event }) => event.kind }),
      membershipId: t.id({
        description: "To which one: the organization's id and the user's with a colon between.",
        resolve: ({ event }) => event.id,
      }),
      membership: t.field({
        type: "Membership",
        nullable: true,
        description: "It as it is now; null when it is gone.",
        resolve: ({ event }) => event.membership,
      }),
    }),
  }),
);

function defineEvents(builder: Builder): void {
  builder.queryField("eventCursor", (t) =>
    t.string({
      description:
        "Where events stand now, for `after` of any subscription. Ask for it before the list is read: what happens after it comes, and what happened in the minute before may come too.",
      resolve: (_, _args, { services }) => toCursor(services.secrets, since(clockMs())),
    }),
  );
  builder.subscriptionField("membershipChanged", (t) =>
    t.field({
      type: MembershipChange(builder),
      description:
        "Every member of an organization who comes, goes or gets another role. NOT_FOUND for one that the caller does not belong to, also when that is so only later.",
      args: {
        organizationId: t.arg.id({ required: true, description: "The organization." }),
        after: afterArgument(t),
      },
      subscribe: (_, { organizationId, after }, { actor, services }) =>
        follow(services, actor, validId("organizationId", organizationId), after ?? null),
      resolve: (told, _, context) => {
        telling(context, told);
        return told;
      },
    }),
  );
}

function follow(
  services: Services,
  actor: Actor,
  organizationId: string,
  after: string | null,
): Promise<AsyncIterableIterator<Followed<Change>>> {
  const requireMay = () => requireInOrganization(services.home, actor, organizationId, "read");
  return followLog<Change>(services, logOfChanges(services, organizationId, MEMBERSHIPS, requireMay), {
    about: `membershipChanged ${organizationId}`,
    after,
    show: async ({ kind, subjectId }) => {
      const id = membershipId({ organizationId, userId: subjectId });
      const [membership] = await findMemberships(services, actor, [id]);
      // Last: what was read is for somebody who may see it still.
      await requireMay();
      return { kind, id, membership: membership ?? null };
    },
  });
}

/** What happens, and where that stands. */
export const events = defineModule({
  name: "events",
  policy: {
    Query: { eventCursor: row(everybody) },
    Subscription: { membershipChanged: row(inOrganization("read")) },
    MembershipChange: asParent("cursor kind membershipId membership"),
  },
  weights: { "Subscription.membershipChanged": FOLLOWING_POINTS },
  types: [defineEvents],
});
