/**
 * Text that PostgreSQL does not store as it is, in any argument of any field: refused before anything is looked up, so that
 * nothing behind has to think of it and a new field is covered from its first day.
 */
import { requireStorable } from "#base/kernel/validation";

/** INVALID_INPUT, with the name that the text has in the arguments, when there is any inside. */
export function requireStorableArguments(args: Readonly<Record<string, unknown>>): void {
  for (const name in args) requireStorableValue(name, args[name]);
}

function requireStorableValue(name: string, value: unknown): void {
  if (typeof value === "string") requireStorable(name, value);
  else if (Array.isArray(value)) for (const one of value) requireStorableValue(name, one);
  else if (typeof value === "object" && value !== null) requireStorableArguments(value as Record<string, unknown>);
}
