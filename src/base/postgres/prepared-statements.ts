/**
 * Which statements are prepared: those that come again, so that the server parses them once for each connection and plans
 * them a few times. What comes once or twice would be kept on every connection for nothing.
 */

import { createHash } from "node:crypto";

/** Of 64 bits: no two texts of a program have the same name. */
const NAME_DIGITS = 16;
/** A text is prepared from this use on. */
const USES_BEFORE = 3;
/**
 * Texts of one statement: some are made of what a caller selects. Every connection may come to hold them all, each some tens
 * of kilobytes; further ones are sent as they are, and keep no other statement from being prepared.
 */
const MAX_OF_ONE = 50;
/** Texts that are counted; when there are more, counting starts again. */
const MAX_COUNTED = 2_000;

/**
 * A condition that counts only where its parameter is given. One plan for all values would have to do without the index
 * that serves it, so such a statement is planned for its values each time.
 */
const OPTIONAL_CONDITION = /\$\d+(::\w+)? is null or/;

type Known = {
  /** With its name in front, as it is sent. */
  readonly text: string;
  /** Under which it is prepared on every connection that it is sent on; undefined: it is not. */
  name: string | undefined;
  uses: number;
};

export class PreparedStatements {
  readonly #known = new Map<string, Known>();
  /** How many texts of a statement are prepared. */
  readonly #prepared = new Map<string, number>();

  /** How a text is to be sent. `statement`: its name, which goes in front of the text as a remark. */
  use(statement: string, text: string): Readonly<Pick<Known, "text" | "name">> {
    const known = this.#known.get(text) ?? this.#learn(statement, text);
    if (known.name === undefined && known.uses < USES_BEFORE) {
      known.uses += 1;
      if (known.uses === USES_BEFORE) known.name = this.#name(statement, known.text);
    }
    return known;
  }

  #learn(statement: string, text: string): Known {
    if (this.#known.size >= MAX_COUNTED)
      for (const [key, { name }] of this.#known) if (name === undefined) this.#known.delete(key);
    const known = { text: withName(statement, text), name: undefined, uses: 0 };
    this.#known.set(text, known);
    return known;
  }

  #name(statement: string, text: string): string | undefined {
    const count = this.#prepared.get(statement) ?? 0;
    if (count >= MAX_OF_ONE || OPTIONAL_CONDITION.test(text)) return undefined;
    this.#prepared.set(statement, count + 1);
    // The same for the same text in every process: behind a pooler they share the server's connections.
    return `tenantry_${createHash("sha256").update(text).digest("hex").slice(0, NAME_DIGITS)}`;
  }
}

/** A statement with its name in front, for logs and `pg_stat_activity`. */
export function withName(statement: string, text: string): string {
  return `/* tenantry: ${statement} */ ${text}`;
}
