/** What of the content the target may not have or do as the source does. Pure. */
import { blocker, type Finding, named, remark } from "#engine/moves/findings";
import type { DefaultCollation, Source, Target } from "#engine/moves/read-sides";

/** `target`: undefined where it did not answer, which another finding says. */
export function aboutContent(source: Source, target: Target | undefined, toKey: string): Finding[] {
  const open = source.tables.filter(({ isFiltered }) => !isFiltered).map(({ name }) => name);
  const found = open.map((name) =>
    blocker(
      `The table ${name} cannot be moved: its replica identity does not name the organization. It must be a unique index with organization_id in it, or FULL.`,
    ),
  );
  found.push(...aboutTriggers(source, target));
  if (target === undefined) return found;
  return [...found, ...aboutExtensions(source, target, toKey), ...aboutCollations(source, target, toKey)];
}

function aboutTriggers({ triggers }: Source, target: Target | undefined): Finding[] {
  const name = ({ table, name: trigger }: Source["triggers"][number]) => `${trigger} on ${table}`;
  const always = triggers.filter(({ isAlways }) => isAlways).map(name);
  const others = triggers.filter(({ isAlways }) => !isAlways).map(name);
  const found: Finding[] = [];
  if (always.length > 0)
    found.push(
      remark(
        `Triggers that are ENABLE ALWAYS or ENABLE REPLICA fire for the rows that are moved: ${named(always)}. What they change in these rows is a difference that ends the move.`,
      ),
    );
  if (target?.mayHoldTriggers === false && others.length > 0)
    found.push(
      remark(
        `Triggers fire for the rows that are copied: ${named(others)}. What they change in these rows is a difference that ends the move.`,
        "The role may not set session_replication_role there. From PostgreSQL 15 on a superuser can let it: GRANT SET ON PARAMETER session_replication_role TO the role.",
      ),
    );
  return found;
}

function aboutExtensions({ extensions }: Source, target: Target, toKey: string): Finding[] {
  const there = new Map(target.extensions.map(({ name, version }) => [name, version]));
  return extensions.flatMap(({ name, version, isNeeded }) => {
    const found = there.get(name);
    if (found === undefined)
      return [
        (isNeeded ? blocker : remark)(
          `The database has the extension ${named([name])}, which the server of region ${toKey} does not have.`,
        ),
      ];
    if (found === version || found === null) return [];
    return [
      remark(
        `The extension ${named([name])} has version ${named([found])} in region ${toKey}, and ${named([version])} here.`,
      ),
    ];
  });
}

const PROVIDERS: Record<string, string> = { c: "libc", i: "ICU", b: "PostgreSQL's own" };

function aboutCollations(
  { collations, collation: here }: Source,
  { collations: known, collation: there }: Target,
  toKey: string,
): Finding[] {
  const missing = collations.filter((name) => !known.includes(name));
  const found: Finding[] = [];
  if (missing.length > 0)
    found.push(
      blocker(`Columns have the collation ${named(missing)}, which the server of region ${toKey} does not have.`),
    );
  if (describe(here) !== describe(there))
    found.push(
      remark(
        `Texts are compared by ${describe(there)} in region ${toKey}, and by ${describe(here)} here. Indexes are made there anew, so they are right; the order of a list may differ.`,
      ),
    );
  return found;
}

function describe({ provider, locale, ctype, version }: DefaultCollation): string {
  const words = [locale, ctype === locale ? null : ctype].filter((one) => one !== null);
  const name = `${PROVIDERS[provider] ?? named([provider])} ${named(words)}`;
  return version === null ? name : `${name} version ${named([version])}`;
}
