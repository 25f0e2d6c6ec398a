/** One setting is one environment variable, described where it is declared. Sections of them make the reference page. */
import { z } from "zod";
import { TenantryError } from "#base/kernel/errors";

type Description = {
  /** What it does, in whole sentences. Markdown, with links as from docs/reference/. */
  meaning: string;
  /** What a number counts. */
  unit?: string;
  /** What holds without the variable, where that is no fixed value. */
  otherwise?: string;
  /** A value that somebody would set. */
  example?: string;
  /** The value is a secret or contains one. */
  isSecret?: true;
};

const described = z.registry<Description & { name: string }>();

/** Names the variable that a setting is read from, and describes it. */
export function variable<Schema extends z.ZodType>(name: string, schema: Schema, description: Description): Schema {
  described.add(schema, { name, ...description });
  return schema;
}

/** The variable of a setting. */
export function variableOf(schema: z.core.$ZodType): Description & { name: string } {
  const found = described.get(schema);
  if (found === undefined) throw new Error("a setting has no variable");
  return found;
}

/** Settings of one subject: a section of the reference page. */
export type Section<Fields extends z.ZodRawShape = z.ZodRawShape> = {
  title: string;
  /** What stands before the table: Markdown, or nothing. */
  about: string;
  fields: Fields;
};

/** The settings of a section as they are read. */
export type ValuesOf<One extends Section> = z.output<z.ZodObject<One["fields"]>>;

/** Reads a section's variables. Throws INVALID_INPUT that names the variable and never its value. */
export function readSection<Fields extends z.ZodRawShape>(
  { fields }: Section<Fields>,
  environment: NodeJS.ProcessEnv,
): z.output<z.ZodObject<Fields>> {
  const names = Object.fromEntries(Object.entries(fields).map(([field, schema]) => [field, variableOf(schema).name]));
  // An empty variable is an absent one, as shells and compose files leave them.
  const given = Object.entries(names).map(([field, name]) => [
    field,
    environment[name] === "" ? undefined : environment[name],
  ]);
  const result = z.object(fields).safeParse(Object.fromEntries(given));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = String(issue?.path[0]);
  throw refused(`The environment variable ${names[field]} ${whatIsWrong(fields[field], issue?.message)}.`);
}

/** What a variable may be set to, in our words where the schema says it. */
function whatIsWrong(schema: z.core.$ZodType | undefined, message: string | undefined): string {
  if (schema === undefined) return `is wrong: ${message}`;
  const allowed = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Allowed;
  const { enum: values, minimum, maximum, pattern, minLength = 0, maxLength } = allowed;
  if (values !== undefined) return `must be one of ${values.join(", ")}`;
  if (minimum !== undefined && maximum !== undefined) return `must be a whole number from ${minimum} to ${maximum}`;
  if (pattern !== undefined) return `is wrong: ${message}`;
  return maxLength === undefined
    ? `must have at least ${minLength} characters`
    : `must have ${minLength} to ${maxLength} characters`;
}

type Allowed = {
  enum?: string[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
};

export function refused(sentence: string): TenantryError {
  return new TenantryError("INVALID_INPUT", sentence);
}

/** A whole number that bounds something; where 0 is allowed it means no bound. */
export function bound(standard: number, least: number, most: number) {
  return z.coerce.number().int().min(least).max(most).default(standard);
}

const truth = z.enum(["true", "false"]);

/** False when it is left out. */
export function flag() {
  return truth.default("false").transform((text) => text === "true");
}

/** Undefined when it is left out. */
export function choice() {
  return truth.transform((text) => text === "true").optional();
}

/** Values that are separated by commas. */
export function list(maxLength: number) {
  return z
    .string()
    .max(maxLength)
    .default("")
    .transform((text): readonly string[] =>
      text
        .split(",")
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    );
}
