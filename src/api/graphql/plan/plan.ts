/**
 * Operations that are answered by one statement per database, whose text is sent as it is: the statement is planned from the
 * document's selections once, and no resolver runs below a root field. What is not planned here goes the ordinary way,
 * through the executor, as does what turns out to need it; test/integration/planned-operations.test.ts proves that both
 * answer the same.
 */
import type { DocumentNode, FieldNode, GraphQLSchema, OperationDefinitionNode } from "graphql";
import { rulesOf } from "#api/graphql/policy/field-rules";
import { fragmentsOf } from "#api/graphql/fragments";
import type { Prepare } from "#api/graphql/plan/planner";
import { collect, NotPlanned } from "#api/graphql/plan/selections";

export type PlannedField = {
  /** Its name in the answer. */
  name: string;
  nodes: readonly FieldNode[];
  prepare: Prepare;
};
export type Plan = { fields: readonly PlannedField[] };

const plans = new WeakMap<GraphQLSchema, WeakMap<OperationDefinitionNode, Plan | null>>();

/** The plan of a validated operation; null where it cannot be planned. The first call makes it, later ones find it. */
export function planOf(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): Plan | null {
  const made = plans.get(schema) ?? new WeakMap<OperationDefinitionNode, Plan | null>();
  plans.set(schema, made);
  const found = made.get(operation);
  if (found !== undefined) return found;
  const plan = makePlan(schema, document, operation);
  made.set(operation, plan);
  return plan;
}

function makePlan(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): Plan | null {
  const fragments = fragmentsOf(document);
  const root = schema.getRootType(operation.operation);
  const fields = new Map<string, FieldNode[]>();
  if (root == null) return null;
  try {
    if ((operation.directives ?? []).length > 0) return null;
    collect(operation.selectionSet, root.name, fragments, fields);
    // One mutation after the other, each to be read afresh: not for two.
    if (root.name === "Mutation" && fields.size > 1) return null;
    return {
      fields: [...fields].map(([name, nodes]) => {
        const field = root.getFields()[nodes[0]?.name.value ?? ""];
        const plan = field === undefined ? undefined : rulesOf(field).plan;
        if (plan === undefined) throw new NotPlanned();
        return { name, nodes, prepare: plan(schema, nodes, fragments) };
      }),
    };
  } catch (error) {
    if (error instanceof NotPlanned) return null;
    throw error;
  }
}
