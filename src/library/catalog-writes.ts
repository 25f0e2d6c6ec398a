/** Which statements write what flows to home's catalog, as far as their text and the server's answer tell. */
import type { TenantTable } from "#engine/tables";

const WRITES = new Set(["INSERT", "UPDATE", "DELETE", "MERGE"]);
/** The answer to a `with` that writes may be that of a SELECT. */
const WRITES_WITHIN = /\bwith\b[^]*\b(insert|update|delete|merge)\b/i;

export class CatalogWrites {
  /** The names of the tables in question; undefined: nothing flows. */
  readonly #names: RegExp | undefined;

  /** `tables`: all that are declared. */
  constructor(tables: readonly TenantTable[]) {
    const names = new Set<string>();
    // A table's rows can go, or change, with those that they refer to.
    const add = (name: string) => {
      const table = tables.find((one) => one.name === name);
      if (table === undefined || names.has(table.bare)) return;
      names.add(table.bare);
      for (const parent of table.parents) add(parent);
    };
    for (const { name, catalog } of tables) if (catalog !== null) add(name);
    this.#names = names.size === 0 ? undefined : new RegExp(`(?<![\\w$])(${[...names].join("|")})(?![\\w$])`, "i");
  }

  /** Whether it may have changed a row that flows. */
  isOne(text: string, results: readonly { command: string; rowCount: number | null }[]): boolean {
    if (this.#names === undefined) return false;
    const hasWritten = results.some(
      ({ command, rowCount }) =>
        (WRITES.has(command) && rowCount !== 0) || (command === "SELECT" && WRITES_WITHIN.test(text)),
    );
    return hasWritten && this.#names.test(text);
  }
}
