/** Why a connection ends before it streams. */
import type { RefusalCode } from "#border/refusals";

/** The connection is refused: `code` and `sentence` for the ledger, `answer` for the one who is refused. */
export class Refused extends Error {
  readonly code: RefusalCode;
  readonly sqlState: string;
  readonly answer: string;

  constructor(code: RefusalCode, sqlState: string, answer: string, sentence = answer) {
    super(sentence);
    this.code = code;
    this.sqlState = sqlState;
    this.answer = answer;
  }
}

/** Something on our side failed: the subscriber tries again. */
export class Unavailable extends Error {}

/** PostgreSQL's own code for it: a subscriber tries again. */
export function tooMany(): Refused {
  return new Refused(
    "too-many",
    "53300",
    "Tenantry's gateway has too many connections of this link.",
    "A link's credential was used for more connections than one stream needs.",
  );
}
