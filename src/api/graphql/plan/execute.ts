/** Executes an operation by its plan. */
import {
  type ExecutionArgs,
  type ExecutionResult,
  getOperationAST,
  getVariableValues,
  isNonNullType,
  type GraphQLError,
  locatedError,
} from "graphql";
import { currentCall } from "#base/kernel/call";
import { isUuid, placementNumberOf } from "#base/kernel/ids";
import { provenText } from "#engine/routing/region-text";
import { type GraphQLContext, JsonText } from "#api/graphql/context";
import { type PlannedField, planOf } from "#api/graphql/plan/plan";
import type { Run } from "#api/graphql/plan/planner";

/**
 * The result, with its data as {@link JsonText}; undefined: it is not planned, or not with these variables, and nothing has
 * been written.
 */
export async function executePlanned(args: ExecutionArgs): Promise<ExecutionResult | undefined> {
  const { schema, document, operationName, variableValues } = args;
  const operation = getOperationAST(document, operationName);
  if (operation == null) return undefined;
  const plan = planOf(schema, document, operation);
  if (plan === null) return undefined;
  const variables = getVariableValues(schema, operation.variableDefinitions ?? [], variableValues ?? {}).variableValues;
  if (variables === undefined) return undefined;
  const runs: Run[] = [];
  for (const field of plan.fields) {
    const run = field.prepare(variables);
    if (run === undefined) return undefined;
    runs.push(run);
  }
  // Many rows of one location are one statement, too, in the ordinary way.
  if (new Set(runs.map(({ id }) => locationKeyOf(id))).size < runs.length) return undefined;
  const context = args.contextValue as GraphQLContext;
  const answers = await Promise.all(runs.map((run, index) => answer(run, plan.fields[index] as PlannedField, context)));
  if (answers.includes(undefined)) {
    // What was written must not be written again.
    if (operation.operation === "mutation") throw new Error("a planned mutation has no answer");
    return undefined;
  }
  const errors = answers.filter((one) => typeof one === "object");
  // A root field that must not be null takes everything with it.
  const type = schema.getRootType(operation.operation)?.getFields() ?? {};
  const isNothing = answers.some(
    (one, index) =>
      typeof one === "object" && isNonNullType(type[plan.fields[index]?.nodes[0]?.name.value ?? ""]?.type),
  );
  const members = plan.fields.map(({ name }, index) => {
    const one = answers[index];
    return `${JSON.stringify(name)}:${typeof one === "string" ? one : "null"}`;
  });
  const data = isNothing ? null : (new JsonText(`{${members.join(",")}}`) as never);
  return errors.length === 0 ? { data } : { errors, data };
}

/** Where the id says that its row is; what is no id is nowhere, each by itself. */
function locationKeyOf(id: string): number | string {
  return isUuid(id) ? placementNumberOf(id) : id;
}

async function answer(
  run: Run,
  { name, nodes }: PlannedField,
  context: GraphQLContext,
): Promise<string | GraphQLError | undefined> {
  try {
    const row = await run.answer(context);
    if (row === undefined) return undefined;
    // Also of a text that was left out because of it.
    currentCall()?.answer?.add(row.bytes ?? 0, () => name);
    return provenText(row, context.services.logger);
  } catch (error) {
    return locatedError(error, nodes, [name]);
  }
}
