import { buildSchema, graphql } from "graphql";
import { expect, test } from "vitest";
import { countAnswers } from "#api/graphql/limits/count-answers";
import { inCall } from "#base/kernel/call";

const schema = countAnswers(
  buildSchema("type Query { rows: [Row] row: Row } type Row { row: Row name: String } type Mutation { make: Row }"),
);
const row = { name: "n", row: { name: "n" } };

async function countOf(source: string, rootValue: object): Promise<number> {
  let counted = 0;
  const add = (bytes: number) => {
    counted += bytes;
  };
  const { errors } = await inCall({ signal: new AbortController().signal, answer: { max: 1_000, add } }, () =>
    graphql({ schema, source, rootValue }),
  );
  expect(errors).toBeUndefined();
  return counted;
}

test("a field with fields of its own counts its name in the answer, for each row", async () => {
  const alias = "x".repeat(50);
  expect(await countOf(`{ ${alias}: row { __typename } }`, { row })).toBe(50 + 4);
  expect(await countOf(`{ rows { ${alias}: row { __typename } } }`, { rows: [row, row, row] })).toBe(8 + 3 * (50 + 4));
});

test("a field without counts its value too", async () => {
  expect(await countOf("{ row { name } }", { row })).toBe(3 + 4 + (4 + 4) + (1 + 2));
});

test("the name of a mutation does not count before it is carried out", async () => {
  expect(await countOf("mutation { make { __typename } }", { make: row })).toBe(0);
});

test("a resolver does not run when the name of its field is too much already", async () => {
  let ran = 0;
  const answer = {
    max: 0,
    add: () => {
      throw new Error("too much");
    },
  };
  const rootValue = {
    row: () => {
      ran += 1;
      return row;
    },
  };
  const { errors } = await inCall({ signal: new AbortController().signal, answer }, () =>
    graphql({ schema, source: "{ row { __typename } }", rootValue }),
  );
  expect(errors?.[0]?.message).toBe("too much");
  expect(ran).toBe(0);
});
