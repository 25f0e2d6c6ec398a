import SchemaBuilder from "@pothos/core";
import type { AuditEntry } from "#engine/audit/entry";
import type { Invitation } from "#engine/people/invitations";
import type { ApiKey } from "#engine/auth/api-keys";
import type { Membership } from "#engine/home/memberships";
import type { Organization } from "#engine/home/organizations";
import type { Placement } from "#engine/home/placements";
import type { Region } from "#engine/regions/regions";
import type { Job, JobStep } from "#engine/jobs/list-jobs";
import type { NamedCrossing, NamedRefusal } from "#engine/border/read-border";
import type { ListedLink } from "#engine/links/list-links";
import type { GraphQLContext } from "#api/graphql/context";

/** A person as a query shows them: from home, or from a region's directory. */
export type Person = {
  id: string;
  name: string;
  /** null: not for the caller to see. */
  email: string | null;
  createdAt: Date;
};

/** The TypeScript type behind each GraphQL object that modules refer to by its name. */
export type ObjectShapes = {
  User: Person;
  Organization: Organization;
  Membership: Membership;
  Region: Region;
  RegionServer: Region;
  Placement: Placement;
  Invitation: Invitation;
  Link: ListedLink;
  Job: Job;
  JobStep: JobStep & { failure: string | null };
  ApiKey: ApiKey;
  AuditEntry: AuditEntry;
  BorderCrossing: NamedCrossing;
  BorderRefusal: NamedRefusal;
};

/** Makes the builder of one schema, which has roots and nothing below them. */
export function createBuilder() {
  const builder = new SchemaBuilder<{
    Context: GraphQLContext;
    DefaultFieldNullability: false;
    Scalars: {
      DateTime: { Input: Date; Output: Date };
      ID: { Input: string; Output: string };
    };
    Objects: ObjectShapes;
  }>({ defaultFieldNullability: false });
  builder.queryType({ description: "What can be read." });
  builder.mutationType({ description: "What can be changed. Bad input changes nothing." });
  builder.subscriptionType({ description: "What can be followed as it happens." });
  return builder;
}

/** Pothos' builder of one schema, with the context, the scalars and the types of the engine. */
export type Builder = ReturnType<typeof createBuilder>;

/**
 * A part of a schema that is made when it is first asked for, once for each schema: a type that several fields, files or
 * modules refer to.
 */
export function perSchema<Part extends object>(make: (builder: Builder) => Part): (builder: Builder) => Part {
  const parts = new WeakMap<Builder, Part>();
  return (builder) => {
    const found = parts.get(builder);
    if (found !== undefined) return found;
    const part = make(builder);
    parts.set(builder, part);
    return part;
  };
}
