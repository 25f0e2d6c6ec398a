import { expect, test } from "vitest";
import { everybody, operatorOnly, row } from "#engine/auth/policy-table";
import { ENGINE_MODULES } from "#api/graphql/engine-modules";
import { fieldsOf, rulesOf } from "#api/graphql/policy/field-rules";
import { defineModule, type Module } from "#api/graphql/module";
import { buildSchema } from "#api/graphql/schema";

/** A module with a field of Query, one of Mutation, and a type of its own. */
function weather(changes: Partial<Module> = {}): Module {
  return defineModule({
    name: "weather",
    policy: {
      Query: { forecast: row(everybody) },
      Mutation: { makeRain: row(operatorOnly) },
      Forecast: { text: row(everybody) },
    },
    subjects: ["CLOUD"],
    audit: { makeRain: { subject: "CLOUD", content: true } },
    types: [
      (builder) => {
        const Forecast = builder.objectRef<{ text: string }>("Forecast").implement({
          fields: (t) => ({ text: t.exposeString("text") }),
        });
        builder.queryField("forecast", (t) => t.field({ type: Forecast, resolve: () => ({ text: "Sun" }) }));
        builder.mutationField("makeRain", (t) => t.boolean({ resolve: () => true }));
      },
    ],
    ...changes,
  });
}

const build = (...modules: Module[]) => buildSchema([...ENGINE_MODULES, ...modules]);
const namesIn = (schema: ReturnType<typeof build>) => fieldsOf(schema).map(({ name }) => name);

test("two schemas of one process have the fields of their own modules", () => {
  const [plain, more] = [build(), build(weather())];
  expect(namesIn(more)).toEqual(expect.arrayContaining([...namesIn(plain), "Query.forecast", "Forecast.text"]));
  expect(namesIn(plain)).not.toContain("Query.forecast");
});

test.each<[string, Partial<Module>, string]>([
  [
    "a field without a policy row",
    { policy: { Query: { forecast: row(everybody) }, Mutation: { makeRain: row(operatorOnly) } } },
    "module weather: Forecast.text has no policy row",
  ],
  [
    "a root field without a policy row",
    { policy: { Mutation: { makeRain: row(operatorOnly) }, Forecast: { text: row(everybody) } } },
    "module weather: Query.forecast has no policy row",
  ],
  ["a mutation without an audit rule", { audit: {} }, "module weather: Mutation.makeRain has no audit rule"],
  [
    "a rule about what no module has",
    { subjects: [] },
    "module weather: the audit rule of makeRain is about CLOUD, which no module has",
  ],
  [
    "a rule for no mutation",
    { audit: { makeRain: { subject: "CLOUD" }, makeSnow: { subject: "CLOUD" } } },
    "module weather has an audit rule for Mutation.makeSnow, which is no field",
  ],
  ["a weight of no field", { weights: { "Forecast.gone": 5 } }, "module weather has a weight for Forecast.gone"],
  [
    "a weight of no argument",
    { argumentWeights: { "Query.forecast": { wind: 5 } } },
    "module weather has a weight for Query.forecast(wind:), which is no argument",
  ],
  ["a long text that is no field", { longTexts: ["Forecast.gone"] }, "Forecast.gone, which is no field"],
  [
    "a plan of no field",
    { planned: { "Query.gone": () => () => undefined } },
    "module weather has a plan for Query.gone, which is no field",
  ],
])("%s does not start", (_, changes, sentence) => {
  expect(() => build(weather(changes))).toThrow(sentence);
});

test("a row for no field, or for another module's, does not start", () => {
  const { policy } = weather();
  expect(() => build(weather({ policy: { ...policy, Gone: { id: row(everybody) } } }))).toThrow(
    "module weather has a policy row for Gone.id, which is no field",
  );
  expect(() => build(weather({ policy: { ...policy, User: { id: row(everybody) } } }))).toThrow(
    "module weather has a policy row for User.id, which has one already",
  );
});

test("two modules of one name do not start", () => {
  const twin = defineModule({ name: "weather", policy: {}, types: [] });
  expect(() => build(weather(), twin)).toThrow("two modules have the name weather");
});

test("what modules say is kept with the fields", () => {
  const { Mutation, Query } = build(weather({ weights: { "Query.forecast": 7 } })).getTypeMap();
  const fieldOf = (type: typeof Query, name: string) =>
    type !== undefined && "getFields" in type ? type.getFields()[name] : undefined;
  expect(rulesOf(fieldOf(Query, "forecast") as never)).toMatchObject({ points: 7, policy: row(everybody) });
  expect(rulesOf(fieldOf(Mutation, "makeRain") as never)).toMatchObject({ audit: { subject: "CLOUD" } });
});
