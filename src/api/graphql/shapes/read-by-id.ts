/** A root field that reads one row of a shape by its id, wherever it lives. */
import type { Row as PolicyRow } from "#engine/auth/policy-table";
import { notFound } from "#base/kernel/errors";
import type { PageRequest } from "#base/kernel/page";
import { validId } from "#base/kernel/validation";
import type { GraphQLContext } from "#api/graphql/context";
import type { Resolver } from "#api/graphql/policy/enforce-policy";
import type { Part } from "#api/graphql/module";
import type { Planner } from "#api/graphql/plan/planner";
import { guarding, maxBytes, pageOf, readArguments, running } from "#api/graphql/plan/root-field";
import { selectShape, type ShapeSelection } from "#api/graphql/plan/shape-members";
import { type PageForm, pageForm, type ReadInput, readText, type TextStatement } from "#api/graphql/plan/shape-text";
import { content } from "#api/graphql/shapes/content";
import { type ContentRow, type Declaration, statementName } from "#api/graphql/shapes/fields";
import type { Shape } from "#api/graphql/shapes/shape";
import { databaseIdOf, locateRow, organizationIdOf, regionKeyOf } from "#engine/routing/location";
import type { TextRow } from "#engine/routing/region-text";
import type { TenantRoute } from "#engine/routing/routing";

/**
 * The field `Query.<name>`, which is answered by one statement where everything that is asked is in shapes. NOT_FOUND when
 * there is no row that the caller may see.
 */
export function readById<Row extends ContentRow>(
  name: string,
  shape: Shape<Row>,
  options: { description: string; policy: PolicyRow },
): Part {
  return {
    policy: { Query: { [name]: options.policy } },
    planned: { [`Query.${name}`]: planReading(shape) },
    types: [
      (builder) =>
        builder.queryField(name, (t) =>
          t.field({
            type: shape.type(builder),
            nullable: true,
            description: `${options.description} Read where it lives. NOT_FOUND when there is none that the caller may see.`,
            args: { id: t.arg.id({ required: true, description: "Its id." }) },
            resolve: (_, { id }, { loaders }) => loaders.of(content).row(shape, validId("id", id)) as never,
          }),
        ),
    ],
  };
}

const planReading =
  (shape: Declaration): Planner =>
  (schema, nodes, fragments) => {
    const selection = selectShape(shape, nodes, fragments);
    const statementsOf = statementsByForm((forms) => ({
      region: readText(shape, selection.members, "region", forms),
      // Who may see an address there depends on who asks.
      home: selection.asksForAddress ? undefined : readText(shape, selection.members, "home", forms),
    }));
    const argumentsOf = readArguments(schema, "Query", nodes[0]);
    const pagesOf = selection.pages.map((page) => readArguments(schema, shape.name, page));
    const run: Resolver = (_, { id, pages }: { id: string; pages: PageRequest[] }, context) => {
      const input = { id: validId("id", id), pages, maxBytes: maxBytes() };
      return readAsText(shape, input, statementsOf(pages), selection.region, context);
    };
    const resolve = guarding(schema, "Query", nodes[0], run);
    return (variables) => {
      const pages = pagesOf.map((read) => pageOf(read(variables)));
      const args = argumentsOf(variables) as { id: string };
      return pages.includes(undefined) ? undefined : running(args.id, resolve, { ...args, pages });
    };
  };

/** A statement for each kind of database; undefined: not to be answered as text there. */
type Statements = { region: TextStatement<ReadInput>; home: TextStatement<ReadInput> | undefined };

/** Makes the statements for pages that are read in the same ways once: the values that come with an operation say in which. */
function statementsByForm(
  make: (forms: readonly PageForm[]) => Statements,
): (pages: readonly PageRequest[]) => Statements {
  const made = new Map<string, Statements>();
  return (pages) => {
    const forms = pages.map(pageForm);
    const key = forms.join(" ");
    const found = made.get(key) ?? make(forms);
    made.set(key, found);
    return found;
  };
}

/**
 * A row with what belongs to it as JSON text, to be proven; undefined where the database cannot give it all. NOT_FOUND when
 * there is none that the caller may see.
 */
async function readAsText(
  shape: Declaration,
  { id, pages, maxBytes: most }: Pick<ReadInput, "id" | "pages" | "maxBytes">,
  statements: Statements,
  region: ShapeSelection["region"],
  context: GraphQLContext,
): Promise<TextRow | undefined> {
  const { route, run } = await locateRow(context.services, context.actor, id, shape.name);
  const statement = statements[route.kind === "home" ? "home" : "region"];
  if (statement === undefined) return undefined;
  const input = {
    id,
    pages,
    maxBytes: most,
    databaseId: databaseIdOf(route),
    organizationId: organizationIdOf(route),
    region: route.kind === "home" ? "null" : await regionText(region ?? [], route, context),
  };
  const [row] = await run((database) =>
    database.query<Omit<TextRow, "regionKey">>(statementName(shape, "text"), statement.text, statement.values(input)),
  );
  if (row === undefined) throw notFound(shape.name);
  return { ...row, regionKey: regionKeyOf(route) };
}

/** The id and the key cannot change; the name can, so that home is asked. */
function regionText(
  members: NonNullable<ShapeSelection["region"]>,
  { regionId, regionKey, databaseId }: TenantRoute,
  { loaders }: GraphQLContext,
): string | Promise<string> {
  const text = (name: string) =>
    `{${members
      .map((one) => {
        const value = { __typename: "Region", id: regionId, key: regionKey, name }[one.value];
        return `${JSON.stringify(one.name)}:${JSON.stringify(value)}`;
      })
      .join(",")}}`;
  if (!members.some(({ value }) => value === "name")) return text("");
  return loaders.regionsOfDatabases.load(databaseId).then((region) => (region === null ? "null" : text(region.name)));
}
