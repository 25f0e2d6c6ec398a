/** How a root field is answered with text that a database made. */
import type { FieldNode, GraphQLSchema, VariableValues } from "graphql";
import type { TextRow } from "#engine/routing/region-text";
import type { GraphQLContext } from "#api/graphql/context";
import type { Fragments } from "#api/graphql/fragments";

/**
 * Answers a root field with JSON text. Made for each run; undefined: the values that came with the operation take it the
 * ordinary way. The text is undefined where only the answer shows that.
 */
export type Run = {
  /** The id of what it is about, which says where that is. */
  id: string;
  answer: (context: GraphQLContext) => Promise<TextRow | undefined>;
};

/** Reads the values that came with an operation. */
export type Prepare = (variables: VariableValues) => Run | undefined;

/**
 * Plans a root field, once for each document: `nodes` are the fields that are one in the answer. Throws `NotPlanned` for what
 * the ordinary way must answer.
 */
export type Planner = (schema: GraphQLSchema, nodes: readonly FieldNode[], fragments: Fragments) => Prepare;
