/**
 * What the text of somebody else's SQL says about the connection that it is sent on. It is read as loosely as is safe: a text
 * that is not understood counts as one that leaves something behind, which costs a connection and nothing else.
 */

export type StatementText = {
  /** Whether it may be more than one statement. A semicolon within a string counts too. */
  readonly isSeveral: boolean;
  /** Whether it begins a transaction and does nothing else. */
  readonly isBegin: boolean;
  /** Whether it ends a transaction and does nothing else. */
  readonly isEnd: "commit" | "rollback" | undefined;
  /** Whether a transaction that it is sent in may end, so that another one may have begun. */
  readonly mayEnd: boolean;
  /** Whether the connection is afterwards as it was before, once its transaction has ended. */
  readonly leavesNothing: boolean;
  /** Whether nothing of it has happened when it fails, sent by itself: it cannot commit a part of its own. */
  readonly isWhole: boolean;
};

/** Statements whose effects end with their transaction, by their first word. `set` does where it says so. */
const HARMLESS = new Set(
  "select insert update delete merge with values table begin start commit end rollback abort savepoint release"
    .concat(" declare fetch move close explain show lock notify truncate")
    .split(" "),
);
const HARMLESS_SET = /^set\s+(local|transaction|constraints)\b/i;
/** What functions and options leave behind for the whole session. */
const LEAVES_SOMETHING = /set_config|pg_settings|advisory_lock|setseed|dblink/i;
/** A name whose letters are written as numbers: it may be any of those. */
const HIDDEN_NAME = /u&"/i;
/** Of a cursor that outlasts its transaction. A remark may stand between it and its WITH. */
const HELD = /^declare\b[\s\S]*\bhold\b/i;

// A remark ends with the line: for PostgreSQL at a carriage return too.
const LEADING = /^(?:[\s(]+|--[^\n\r]*(?:[\n\r]|$)|\/\*[\s\S]*?\*\/)+/;
const BEGIN = /^(begin|start\s+transaction)\b/i;
const END = /^(commit|end|rollback|abort)\b/i;
const TO_SAVEPOINT = /^(rollback|abort)(\s+(work|transaction))?\s+to\b/i;

/** Procedures and blocks of code can commit, these cannot. */
const WHOLE = /^(select|insert|update|delete|merge|with|values|table)\b/i;
const MAY_COMMIT = /\b(begin|start|commit|end|rollback|abort|prepare|call|do)\b/i;

/** Texts that are remembered; those of a program come again and again. */
const MAX_REMEMBERED = 1_000;
/** A longer one costs more to keep than to read. */
const MAX_REMEMBERED_LENGTH = 10_000;
const remembered = new Map<string, StatementText>();

export function readStatementText(text: string): StatementText {
  const found = remembered.get(text);
  if (found !== undefined) return found;
  const read = readAnew(text);
  if (text.length <= MAX_REMEMBERED_LENGTH) {
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(text, read);
  }
  return read;
}

function readAnew(text: string): StatementText {
  // Every statement stands at the beginning of a piece, as it follows a semicolon. Not every piece is a statement.
  const pieces = text
    .split(";")
    .map((piece) => piece.replace(LEADING, "").trimEnd())
    .filter((piece) => piece !== "");
  const [first = ""] = pieces;
  const isOne = pieces.length === 1;
  const isEnd = isOne && !TO_SAVEPOINT.test(first) ? endOf(first) : undefined;
  return {
    isSeveral: pieces.length > 1,
    isBegin: isOne && BEGIN.test(first),
    isEnd,
    mayEnd: pieces.length > 1 || isEnd !== undefined,
    isWhole: isOne ? WHOLE.test(first) : !MAY_COMMIT.test(text),
    leavesNothing: pieces.every(isHarmless) && !LEAVES_SOMETHING.test(text) && !HIDDEN_NAME.test(text),
  };
}

function endOf(piece: string): StatementText["isEnd"] {
  const [, word] = END.exec(piece) ?? [];
  if (word === undefined) return undefined;
  return /^(commit|end)$/i.test(word) ? "commit" : "rollback";
}

function isHarmless(piece: string): boolean {
  const [word = ""] = /^[a-z_]*/i.exec(piece) ?? [];
  if (HELD.test(piece)) return false;
  return HARMLESS.has(word.toLowerCase()) || HARMLESS_SET.test(piece);
}
