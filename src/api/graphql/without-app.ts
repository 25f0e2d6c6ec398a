/** The API without the app that ships: what a team with tables of its own serves. */
import { getNamedType, GraphQLSchema, isObjectType, lexicographicSortSchema } from "graphql";

/** The types that the app brings begin with these names. */
const OF_THE_APP = /^(Resource|Comment)/;

/** A copy of the schema without the fields that lead to the app's types, and so without these. */
export function withoutApp(schema: GraphQLSchema): GraphQLSchema {
  // The types refer to each other, and sorting copies all of them.
  const copy = lexicographicSortSchema(schema);
  for (const type of Object.values(copy.getTypeMap())) {
    if (!isObjectType(type)) continue;
    const fields = type.getFields();
    for (const [name, field] of Object.entries(fields))
      if (OF_THE_APP.test(getNamedType(field.type).name)) Reflect.deleteProperty(fields, name);
  }
  // Made of its roots alone, it has the types that these still lead to.
  return new GraphQLSchema({
    query: copy.getQueryType(),
    mutation: copy.getMutationType(),
    subscription: copy.getSubscriptionType(),
    directives: copy.getDirectives(),
  });
}
