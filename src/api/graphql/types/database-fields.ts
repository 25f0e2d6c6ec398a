/** What every type that stands for a tenant database says of it. */
import type { Builder } from "#api/graphql/builder";
import type { TypeRef } from "#api/graphql/connections";

/** Adds its name and its region. */
export function addDatabaseFields<Row extends { database: string; regionId: string }>(
  builder: Builder,
  type: TypeRef<Row>,
): void {
  builder.objectFields(type, (t) => ({
    database: t.string({ description: "Its name on the region's server.", resolve: ({ database }) => database }),
    region: t.field({
      type: "Region",
      nullable: true,
      description: "Where it is.",
      resolve: ({ regionId }, _, { loaders }) => loaders.regions.load(regionId),
    }),
  }));
}
