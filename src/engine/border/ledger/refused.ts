/** Why a connection ends before it streams. */
import type { RefusalCode } from "#engine/border/ledger/refusals";

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

/** PostgreSQL's words: engine/replication/subscribe-failure.ts finds the reason by them. */
const AUTHENTICATION_FAILED = "password authentication failed for this link";

export function unknownUser(): Refused {
  return new Refused(
    "unknown-user",
    "28P01",
    AUTHENTICATION_FAILED,
    "Somebody tried to sign in with a name that no link has.",
  );
}

export function wrongPassword(): Refused {
  return new Refused(
    "wrong-password",
    "28P01",
    AUTHENTICATION_FAILED,
    "Somebody tried to sign in with a link's name and a wrong password.",
  );
}
