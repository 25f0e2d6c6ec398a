/**
 * Which statements are prepared: those that come again, so that the server parses them once for each connection and plans
 * them a few times. What comes once or twice would be kept on every connection for nothing.
 */

import { createHash } from "node:crypto";

/** Of 64 bits: no two texts of a program have the same name. */
const NAME_DIGITS = 16;
/** A text is prepared from this use on. */
const USES_BEFORE = 3;
/** Every connection may come to hold so many, each some tens of kilobytes. Further texts are sent as they are. */
const MAX_PREPARED = 200;
/** Texts that are counted; when there are more, counting starts again. */
const MAX_COUNTED = 2_000;

/**
 * A condition that counts only where its parameter is given. One plan for all values would have to do without the index
 * that serves it, so such a statement is planned for its values each time.
 */
const OPTIONAL_CONDITION = /\$\d+(::\w+)? is null or/;

export class PreparedStatements {
  readonly #uses = new Map<string, number>();
  readonly #names = new Map<string, string>();

  /** The name under which the text is prepared on every connection that it is sent on; undefined: it is not. */
  nameOf(text: string): string | undefined {
    const name = this.#names.get(text);
    if (name !== undefined) return name;
    const uses = (this.#uses.get(text) ?? 0) + 1;
    if (uses < USES_BEFORE) {
      if (this.#uses.size >= MAX_COUNTED) this.#uses.clear();
      this.#uses.set(text, uses);
      return undefined;
    }
    if (this.#names.size >= MAX_PREPARED || OPTIONAL_CONDITION.test(text)) return undefined;
    this.#uses.delete(text);
    // The same for the same text in every process: behind a pooler they share the server's connections.
    const given = `tenantry_${createHash("sha256").update(text).digest("hex").slice(0, NAME_DIGITS)}`;
    this.#names.set(text, given);
    return given;
  }
}
