import type { z } from "zod";
import { LIMITS, type Limits } from "#base/kernel/limits";
import { bound, variable } from "#config/variable";

const fields = {} as { [Name in keyof Limits]: z.ZodType<number> };
for (const name of Object.keys(LIMITS) as (keyof Limits)[]) {
  const { variable: variableName, standard, least, most, unit, meaning } = LIMITS[name];
  fields[name] = variable(variableName, bound(standard, least, most), { unit, meaning });
}

export const LIMIT_SETTINGS = {
  title: "Limits",
  about:
    "They bound what callers may ask for. A request over a limit gets `LIMIT_EXCEEDED`. [Limits and\npoints](limits-and-points.md) explains them.",
  fields,
};
