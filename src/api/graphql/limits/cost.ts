/**
 * What an operation costs, in points, before it runs. A point is about one object fetched: a field with fields of its own
 * costs 1, one without costs nothing, and what stands under a list counts once per row, by `first` or `last`,
 * or once per id, by `ids`. Modules say
 * which fields and arguments do more than that, and which texts can be long. `__typename` is free once, and costs 1
 * under each name that it is given: in the answer it is there as often. Directives that leave fields out do not make an
 * operation cheaper.
 */
import {
  type FieldNode,
  type FragmentDefinitionNode,
  getNamedType,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  isCompositeType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from "graphql";
import { rulesOf } from "#api/graphql/policy/field-rules";
import { BoundedMap } from "#base/kernel/bounded-map";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "#base/kernel/page";

/** A list without `first` is taken to have this many rows: regions, an organization's placements. */
const ASSUMED_ROWS = 10;
/** Each field of Mutation, on top: it writes, and may wait for replication. */
const MUTATION_POINTS = 5;
/** Each `__schema` and `__type`, whatever is asked of them. */
const INTROSPECTION_POINTS = 100;
/** Beyond any limit, and finite under any multiplication. */
const MOST_POINTS = 1e9;

/** `perRow`: what a page's rows cost each, until the field is reached that says how many there are. */
type Points = { fixed: number; perRow: number };

/** The least that any operation costs. */
const LEAST_POINTS = 1;

/** What operations cost, by the values of the variables that say how many rows are asked for. */
const costs = new WeakMap<
  OperationDefinitionNode,
  { names: readonly string[]; byValues: BoundedMap<string, number> }
>();
/** Values that are remembered for one operation. */
const MAX_REMEMBERED_VALUES = 100;

/** As {@link measureCost}, remembered for as long as the parsed document is. */
export function costOf(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: () => ReadonlyMap<string, FragmentDefinitionNode>,
  variables: Readonly<Record<string, unknown>>,
): number {
  const found = costs.get(operation);
  const keyOf = (names: readonly string[]) =>
    JSON.stringify(names.map((name) => (Object.hasOwn(variables, name) ? [rowsOf(variables[name]) ?? null] : 0)));
  const known = found?.byValues.get(keyOf(found.names));
  if (known !== undefined) return known;
  const used = new Set<string>();
  const points = measureCost(schema, operation, fragments(), variables, used);
  const entry = found ?? { names: [...used], byValues: new BoundedMap<string, number>(MAX_REMEMBERED_VALUES) };
  costs.set(operation, entry);
  entry.byValues.set(keyOf(entry.names), points);
  return points;
}

/**
 * The points of a validated operation. Time is linear in the document: each fragment is looked at once. `variables` are
 * those that the client sent; into `used` go the names of those that
 * count.
 */
export function measureCost(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  variables: Readonly<Record<string, unknown>>,
  used = new Set<string>(),
): number {
  const root = schema.getRootType(operation.operation);
  if (root == null) return LEAST_POINTS;
  const measured = new Map<string, Points>();
  const defaults = defaultsOf(operation);

  const measureFragment = (name: string, parent: GraphQLCompositeType): Points => {
    const found = measured.get(name);
    if (found !== undefined) return found;
    const nothing = { fixed: 0, perRow: 0 };
    measured.set(name, nothing);
    const fragment = fragments.get(name);
    const points =
      fragment === undefined
        ? nothing
        : measure(fragment.selectionSet, typeNamed(schema, fragment.typeCondition.name.value) ?? parent);
    measured.set(name, points);
    return points;
  };

  const measure = ({ selections }: SelectionSetNode, parent: GraphQLCompositeType): Points => {
    const sum = { fixed: 0, perRow: 0 };
    for (const selection of selections) {
      let points: Points;
      if (selection.kind === Kind.FIELD) points = measureField(selection, parent);
      else if (selection.kind === Kind.FRAGMENT_SPREAD) points = measureFragment(selection.name.value, parent);
      else {
        const condition = selection.typeCondition?.name.value;
        points = measure(
          selection.selectionSet,
          (condition === undefined ? undefined : typeNamed(schema, condition)) ?? parent,
        );
      }
      sum.fixed = Math.min(sum.fixed + points.fixed, MOST_POINTS);
      sum.perRow = Math.min(sum.perRow + points.perRow, MOST_POINTS);
    }
    return sum;
  };

  const measureField = (node: FieldNode, parent: GraphQLCompositeType): Points => {
    const name = node.name.value;
    if (name === "__typename") return { fixed: node.alias === undefined ? 0 : 1, perRow: 0 };
    if (name.startsWith("__")) return { fixed: INTROSPECTION_POINTS, perRow: 0 };
    const field = isObjectType(parent) ? parent.getFields()[name] : undefined;
    if (field === undefined) return { fixed: 0, perRow: 0 };
    const isWrite = operation.operation === "mutation" && parent === root;
    const own = weigh(parent, field) + weighArguments(node, field, variables, used) + (isWrite ? MUTATION_POINTS : 0);
    const type = getNamedType(field.type);
    const inner =
      node.selectionSet === undefined || !isCompositeType(type)
        ? { fixed: 0, perRow: 0 }
        : measure(node.selectionSet, type);
    if (field.args.some((argument) => argument.name === "first"))
      return { fixed: own + inner.fixed + readRows(node, variables, defaults, used) * inner.perRow, perRow: 0 };
    if (field.args.some((argument) => argument.name === "ids"))
      return { fixed: countIds(node, variables, used) * (own + inner.fixed), perRow: 0 };
    if (!isList(field)) return { fixed: own + inner.fixed + DEFAULT_PAGE_SIZE * inner.perRow, perRow: 0 };
    // The rows of a page: how many is said one level further up.
    if (isPage(parent)) return { fixed: 0, perRow: own + inner.fixed };
    return { fixed: ASSUMED_ROWS * (own + inner.fixed), perRow: 0 };
  };

  return Math.max(LEAST_POINTS, Math.min(measure(operation.selectionSet, root).fixed, MOST_POINTS));
}

type Field = GraphQLField<unknown, unknown>;

function weigh(parent: GraphQLCompositeType, field: Field): number {
  const { points, isLong } = rulesOf(field);
  if (points !== undefined) return points;
  if (isLong === true) return 1;
  const type = getNamedType(field.type);
  if (!isObjectType(type)) return 0;
  // Part of a page that was counted already.
  const isWrapping = field.name === "pageInfo" || (isPage(parent) && "node" in type.getFields());
  return isWrapping ? 0 : 1;
}

/** What the arguments that are given cost on top; one that is null is not given. */
function weighArguments(
  node: FieldNode,
  field: Field,
  variables: Readonly<Record<string, unknown>>,
  used: Set<string>,
): number {
  const { argumentPoints = {} } = rulesOf(field);
  let sum = 0;
  for (const { name, value } of node.arguments ?? []) {
    const points = argumentPoints[name.value] ?? 0;
    if (points === 0 || value.kind === Kind.NULL) continue;
    if (value.kind === Kind.VARIABLE) {
      used.add(value.name.value);
      // One that is left out may have a default.
      if (Object.hasOwn(variables, value.name.value) && variables[value.name.value] == null) continue;
    }
    sum += points;
  }
  return sum;
}

function isPage(type: GraphQLCompositeType): boolean {
  return isObjectType(type) && "pageInfo" in type.getFields();
}

function isList({ type }: Field): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

function typeNamed(schema: GraphQLSchema, name: string): GraphQLCompositeType | undefined {
  const type = schema.getType(name);
  return isCompositeType(type) ? type : undefined;
}

function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Map<string, number> {
  const defaults = new Map<string, number>();
  for (const { variable, defaultValue } of variableDefinitions)
    if (defaultValue?.kind === Kind.INT) defaults.set(variable.name.value, Number(defaultValue.value));
  return defaults;
}

/** How many rows are asked for. What is no sensible number counts as a full page, and is refused where it is read. */
function readRows(
  node: FieldNode,
  variables: Readonly<Record<string, unknown>>,
  defaults: ReadonlyMap<string, number>,
  used: Set<string>,
): number {
  const read = ["first", "last"].map((name) => readNumber(node, name, variables, defaults, used));
  const given = read.filter((rows) => rows !== undefined);
  return given.length === 0 ? DEFAULT_PAGE_SIZE : Math.max(...given);
}

/** Undefined: it is left out or null. */
function readNumber(
  node: FieldNode,
  argument: string,
  variables: Readonly<Record<string, unknown>>,
  defaults: ReadonlyMap<string, number>,
  used: Set<string>,
): number | undefined {
  const value = node.arguments?.find(({ name }) => name.value === argument)?.value;
  if (value === undefined || value.kind === Kind.NULL) return undefined;
  if (value.kind === Kind.INT) return toRows(Number(value.value));
  if (value.kind !== Kind.VARIABLE) return MAX_PAGE_SIZE;
  const name = value.name.value;
  used.add(name);
  const given = Object.hasOwn(variables, name) ? variables[name] : defaults.get(name);
  return rowsOf(given);
}

/** How many objects are asked for by their ids. */
function countIds(node: FieldNode, variables: Readonly<Record<string, unknown>>, used: Set<string>): number {
  const value = node.arguments?.find((argument) => argument.name.value === "ids")?.value;
  if (value?.kind === Kind.LIST) return toRows(value.values.length);
  if (value?.kind !== Kind.VARIABLE) return value === undefined ? MAX_PAGE_SIZE : 1;
  const name = value.name.value;
  used.add(name);
  // A default is a list that nobody has counted.
  return Object.hasOwn(variables, name) ? (rowsOf(variables[name]) ?? DEFAULT_PAGE_SIZE) : MAX_PAGE_SIZE;
}

/** Undefined for null. */
function rowsOf(given: unknown): number | undefined {
  if (Array.isArray(given)) return toRows(given.length);
  return given == null ? undefined : toRows(given);
}

function toRows(value: unknown): number {
  return typeof value === "number" && value >= 0 && value <= MAX_PAGE_SIZE ? value : MAX_PAGE_SIZE;
}
