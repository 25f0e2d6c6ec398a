/** A subscription to what happens to the rows of a shape in an organization, in all its regions, by the catalog at home. */
import type { Actor } from "#engine/auth/actor";
import { requireInOrganization } from "#engine/auth/membership";
import { asParent, type Row as PolicyRow } from "#engine/auth/policy-table";
import { DEFAULT_ORGANIZATION_ID } from "#base/kernel/ids";
import { validId } from "#base/kernel/validation";
import { type Followed, followLog } from "#engine/events/follow-log";
import { logOfChanges } from "#engine/events/changes";
import type { Entry } from "#engine/events/position";
import { homeFor } from "#engine/routing/location";
import type { Services } from "#engine/services";
import { perSchema } from "#api/graphql/builder";
import { afterArgument, ChangeKind, FOLLOWING_POINTS, telling } from "#api/graphql/follow";
import type { Part } from "#api/graphql/module";
import { type ContentRow, statementName } from "#api/graphql/shapes/fields";
import { catalogColumnsOf } from "#api/graphql/shapes/rows";
import type { Shape } from "#api/graphql/shapes/shape";

/** What happened to a row, and the row as it is now; null when it is gone. */
type Change = { kind: Entry["kind"]; id: string; row: ContentRow | null };

/** The field `Subscription.<name>`, of the type `<Shape>Change`. The shape must have a catalog. */
export function followChanges<Row extends ContentRow>(
  name: string,
  shape: Shape<Row>,
  options: { description: string; policy: PolicyRow },
): Part {
  const listed = shape as unknown as Shape;
  const property = `${shape.name.charAt(0).toLowerCase()}${shape.name.slice(1)}`;
  const typeName = `${shape.name}Change`;
  const type = perSchema((builder) =>
    builder.objectRef<Followed<Change>>(typeName).implement({
      description: `Something that happened to an object of the type ${shape.name}.`,
      fields: (t) => ({
        cursor: t.exposeString("cursor", {
          description: "For `after`, to go on behind this. Also in `extensions.cursor`.",
        }),
        kind: t.field({
          type: ChangeKind(builder),
          description: "What happened.",
          resolve: ({ event }) => event.kind,
        }),
        [`${property}Id`]: t.id({ description: "To which one.", resolve: ({ event }) => event.id }),
        [property]: t.field({
          type: shape.type(builder),
          nullable: true,
          description: "It as it is now; null when it is gone.",
          resolve: ({ event }) => event.row as never,
        }),
      }),
    }),
  );
  return {
    policy: {
      Subscription: { [name]: options.policy },
      [typeName]: asParent(`cursor kind ${property}Id ${property}`),
    },
    weights: { [`Subscription.${name}`]: FOLLOWING_POINTS },
    types: [
      (builder) =>
        builder.subscriptionField(name, (t) =>
          t.field({
            type: type(builder),
            description: options.description,
            args: {
              organizationId: t.arg.id({ description: "Whose; left out: the default organization's." }),
              after: afterArgument(t),
            },
            subscribe: (_, { organizationId, after }, { actor, services }) =>
              follow(
                name,
                listed,
                services,
                actor,
                organizationId == null ? null : validId("organizationId", organizationId),
                after ?? null,
              ),
            resolve: (told, _, context) => {
              telling(context, told);
              return told;
            },
          }),
        ),
    ],
  };
}

async function follow(
  name: string,
  shape: Shape,
  services: Services,
  actor: Actor,
  organizationId: string | null,
  after: string | null,
): Promise<AsyncIterableIterator<Followed<Change>>> {
  const requireMay = async () => {
    if (organizationId !== null) await requireInOrganization(services.home, actor, organizationId, "read");
  };
  return followLog<Change>(services, logOfChanges(services, organizationId, shape.table, requireMay), {
    about: `${name} ${organizationId}`,
    after,
    show: async ({ kind, subjectId }) => {
      const row = await readListed(shape, services, actor, organizationId, subjectId);
      // Last: what was read is for somebody who may see it still.
      await requireMay();
      return { kind, id: subjectId, row };
    },
  });
}

async function readListed(
  shape: Shape,
  services: Services,
  actor: Actor,
  organizationId: string | null,
  id: string,
): Promise<ContentRow | null> {
  const [row] = await homeFor(services, actor).query<ContentRow>(
    statementName(shape, "changed"),
    `select ${catalogColumnsOf(shape, "r")} from ${shape.catalog} r where r.organization_id = $1 and r.id = $2`,
    [organizationId ?? DEFAULT_ORGANIZATION_ID, id],
  );
  return row ?? null;
}
