/** Why a stream was ended. The codes are those of the ledger. */
export type BreachCode = "table-not-listed" | "column-not-listed" | "truncate" | "malformed" | "row-refused";

/** Something came that the link does not list. The message is for the operator and holds nothing of the row. */
export class Breach extends Error {
  readonly code: BreachCode;

  constructor(code: BreachCode, text: string) {
    super(text);
    this.code = code;
  }
}
