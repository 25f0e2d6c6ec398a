/**
 * JSON text that a database made for an answer. A region is not trusted: text of its goes into an answer only when it is
 * one JSON object and no more, as it would otherwise write what stands beside it: other fields, errors, extensions.
 */
import { TenantryError } from "#base/kernel/errors";

/** A member of a JSON object: its name in the answer, and what it is. */
export type Member<Value> = { readonly name: string; readonly value: Value };

/** A row of a statement that {@link boundedText} made, and the region that answered; undefined: home did. */
export type TextRow = {
  /** Null where the database cannot give it, or it is too long. */
  readonly text: string | null;
  /** Its length; null where it is missing. */
  readonly bytes: number | null;
  readonly regionKey: string | undefined;
};

/**
 * A statement that gives `text`, an expression, and its length; no text that is longer than `maxBytes`, an expression too.
 * It is not sent then.
 */
export function boundedText(text: string, from: string, maxBytes: string): string {
  // Without the offset the expression would be put in each place and made three times.
  return `select case when octet_length(made.text) <= ${maxBytes} then made.text end as text, octet_length(made.text) as bytes
    from (select ${text} as text ${from} offset 0) made`;
}

/**
 * The text; undefined where the database cannot give it. REGION_UNAVAILABLE when it is not one JSON object, which `logger`
 * is told without the text.
 */
export function provenText(
  { text, regionKey }: TextRow,
  logger: { error: (details: object, message: string) => void },
): string | undefined {
  if (text === null || regionKey === undefined || isObjectText(text)) return text ?? undefined;
  logger.error({ region: regionKey }, "a region's server gave a text that is not one JSON object");
  throw new TenantryError(
    "REGION_UNAVAILABLE",
    `The region ${regionKey} gave an answer that cannot be used: whoever looks after its server should know.`,
  );
}

/** Of 9 kB the parser takes 11 µs; a scanner that makes no values took 16. */
function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
