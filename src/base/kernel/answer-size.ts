/** How many bytes answers may have: those of one request together, as they are held until they have been sent. */
import { TenantryError } from "#base/kernel/errors";

/** What counts the bytes of one operation's answer while it is made. */
export type AnswerSize = {
  /** The most bytes that the answer may have. */
  readonly max: number;
  /**
   * Counts bytes, of the field at the root with this name where that is known. Throws LIMIT_EXCEEDED when they are too many,
   * and every time from then on.
   */
  readonly add: (bytes: number, rootField?: () => string) => void;
};

/** The bytes of a request, which may be several operations. */
export class AnswerBytes {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** For one operation. `onExceeded` hears of the first byte too many, to stop what still runs. */
  of(kind: string, onExceeded: (error: TenantryError) => void): AnswerSize {
    let failure: TenantryError | undefined;
    return {
      max: this.#max,
      add: (bytes, rootField) => {
        this.#used += bytes;
        if (this.#used <= this.#max) return;
        if (failure === undefined) {
          failure = answerTooLarge(this.#max, kind, rootField?.());
          onExceeded(failure);
        }
        throw failure;
      },
    };
  }

  /** For the next event of what is followed. */
  restart(): void {
    this.#used = 0;
  }
}

/** `kind` of the operation, where it is known, and the field at its root whose answer is too large. */
export function answerTooLarge(max: number, kind?: string, rootField?: string): TenantryError {
  return new TenantryError(
    "LIMIT_EXCEEDED",
    `The answer is larger than ${max.toLocaleString("en")} bytes: ${adviceFor(kind, rootField)}.`,
    { limit: "answer_bytes" },
  );
}

function adviceFor(kind: string | undefined, rootField: string | undefined): string {
  const advice = "ask for fewer rows or fields, or in parts";
  if (kind === "query" || kind === "subscription") return advice;
  if (kind === "mutation" && rootField !== undefined)
    return `${rootField} was carried out, and so were the fields before it; those after it were not. Ask for less of the answer`;
  return `${advice}. What a mutation had done stays`;
}
