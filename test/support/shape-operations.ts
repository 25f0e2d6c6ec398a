/** Generates what operations may select of a shape, from its declaration. */
import fc from "fast-check";
import type { Declaration, Field } from "../../src/api/graphql/shapes/fields.ts";

const SCALAR = fc.constant("");
const PAGE_ARGUMENTS = [
  "",
  "(first: 3)",
  "(first: 0)",
  "(first: 7)",
  "(first: $first)",
  "(after: $after)",
  "(last: 2)",
  "(last: $first)",
  "(before: $after)",
  "(first: 1, before: $after)",
  "(last: 2, after: $after)",
  "(first: $first, last: $last)",
];

/** Fields of a type, each under its own name or another, some twice, some in fragments. */
function selection(fields: Record<string, fc.Arbitrary<string>>, type: string): fc.Arbitrary<string> {
  const field = fc.constantFrom("__typename", ...Object.keys(fields)).chain((name) =>
    fc
      .tuple(fc.constantFrom("", `a_${name}: `), fields[name] ?? SCALAR)
      // Two fields of one name must have the same arguments: their alias has them in it.
      .map(([alias, rest]) => {
        const args = /^\((.*)\)/.exec(rest)?.[1];
        const own = args === undefined ? alias : `x${Buffer.from(args).toString("hex")}_${name}: `;
        return `${own}${name}${rest}`;
      }),
  );
  const group = fc
    .tuple(fc.constantFrom("plain", "inline", "typed"), fc.array(field, { minLength: 1, maxLength: 4 }))
    .map(([kind, list]) => {
      if (kind === "plain") return list.join(" ");
      return `${kind === "inline" ? "..." : `... on ${type}`} { ${list.join(" ")} }`;
    });
  return fc.array(group, { minLength: 1, maxLength: 3 }).map((groups) => `{ ${groups.join(" ")} }`);
}

const scalars = (names: string) => Object.fromEntries(names.split(" ").map((name) => [name, SCALAR]));

function partOf(field: Field<Declaration>): fc.Arbitrary<string> {
  switch (field.kind) {
    case "column":
      return SCALAR;
    case "member":
      return selection(scalars("id name email createdAt"), "User");
    case "organization":
      return selection(scalars("id name"), "Organization");
    case "region":
      return selection(scalars("id key name"), "Region");
    default:
      return fc.tuple(fc.constantFrom(...PAGE_ARGUMENTS), pageOf(field.of)).map(([args, rest]) => `${args} ${rest}`);
  }
}

function pageOf(shape: Declaration): fc.Arbitrary<string> {
  const pageInfo = selection(scalars("hasNextPage hasPreviousPage startCursor endCursor"), "PageInfo");
  const edge = selection({ cursor: SCALAR, node: selectionOf(shape) }, `${shape.pagesName}Edge`);
  return selection({ edges: edge, pageInfo }, `${shape.pagesName}Connection`);
}

/** The definitions of `$first`, `$after` and `$last` that an operation with these selections needs: one that is not used is refused. */
export function variablesOf(selections: string): string[] {
  const known = { $first: "Int = 2", $after: "String", $last: "Int" };
  return Object.entries(known).flatMap(([name, type]) => (selections.includes(name) ? [`${name}: ${type}`] : []));
}

/** What may be selected of a row. It may use the variables of {@link variablesOf}. */
export function selectionOf(shape: Declaration): fc.Arbitrary<string> {
  const fields = Object.entries(shape.fields).map(([name, field]) => [name, partOf(field)]);
  return selection(Object.fromEntries(fields) as Record<string, fc.Arbitrary<string>>, shape.name);
}
