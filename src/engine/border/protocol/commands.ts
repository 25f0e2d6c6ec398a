/**
 * Recognises what a subscriber says, word for word. Everything else is refused. A subscriber chooses the form of its questions
 * by the version that the publisher reports. The gateway always reports {@link REPORTED_VERSION}, so that subscribers of 15 to
 * 18 ask in the same form.
 */
import type { PublishedTable } from "#engine/replication/link";
import { rowsOf } from "#engine/border/protocol/wire";

/** What the gateway says its version is. With it subscribers ask for protocol 3 at most. */
export const REPORTED_VERSION = "15.0";

/** The options of a stream, as they are passed on. */
export type StreamOptions = {
  /** Where to begin, as `16/B374D848`. */
  position: string;
  protocol: number;
  /** Transactions that are not at their end yet are sent too. */
  streaming: boolean;
};

export type Command =
  /** The gateway answers it itself. */
  { kind: "answer"; reply: Buffer } | { kind: "stream"; options: StreamOptions } | { kind: "refused"; reason: string };

/** A link as far as its subscriber may speak of it. */
export type Spoken = { readonly name: string; readonly tables: readonly PublishedTable[] };

/** Reads one simple query of the subscriber of this link. */
export function readCommand(text: string, link: Spoken): Command {
  // Versions differ in white space, so it is taken out. Nothing of the text is passed on.
  const said = text.replace(/\s+/g, " ").replace(/\( /g, "(").replace(/ \)/g, ")").trim().replace(/;$/, "");
  // In lower case, as statements are written here.
  const asked = said.toLowerCase();
  if (asked === "select pg_catalog.set_config('search_path', '', false)")
    return { kind: "answer", reply: rowsOf(["set_config"], [[""]]) };
  if (asked === "identify_system") return { kind: "answer", reply: identity() };
  if (asked === `select t.pubname from pg_catalog.pg_publication t where t.pubname in ('${link.name}')`)
    return { kind: "answer", reply: rowsOf(["pubname"], [[link.name]]) };
  if (
    asked ===
    `select distinct t.schemaname, t.tablename , t.attnames from pg_catalog.pg_publication_tables t where t.pubname in ('${link.name}')`
  )
    return { kind: "answer", reply: tablesOf(link) };
  return readStart(said, link.name) ?? { kind: "refused", reason: "a command that this credential is not good for" };
}

/**
 * Subscribers ask which system they talk to and look at nothing but the form of the answer. Home's identifier and the
 * position of its WAL are nothing that a region needs to know.
 */
function identity(): Buffer {
  return rowsOf(["systemid", "timeline", "xlogpos", "dbname"], [["0", "1", "0/0", null]]);
}

/** The tables of the link under the names that they have at the subscriber. */
function tablesOf({ tables }: Spoken): Buffer {
  return rowsOf(
    ["schemaname", "tablename", "attnames"],
    tables.map(({ into, columns }) => {
      const [schema = "", table = ""] = into.split(".");
      return [schema, table, `{${columns.map((column) => `"${column}"`).join(",")}}`];
    }),
  );
}

function readStart(said: string, name: string): Command | undefined {
  const match = /^START_REPLICATION SLOT "([^"]+)" LOGICAL ([0-9A-F]{1,8}\/[0-9A-F]{1,8}) \((.*)\)$/.exec(said);
  if (match === null) return undefined;
  const refused = (reason: string): Command => ({ kind: "refused", reason });
  if (match[1] !== name) return refused("the slot of another stream");
  const options = readOptions(match[3] ?? "");
  if (options === undefined) return refused("options of a stream that cannot be read");
  const { proto_version: protocol, publication_names: publications, streaming = "off", origin = "any" } = options;
  const known = new Set(["proto_version", "publication_names", "streaming", "origin"]);
  if (Object.keys(options).some((option) => !known.has(option))) return refused("an option of a stream");
  if (publications !== `"${name}"`) return refused("another publication");
  if (!/^[1-4]$/.test(protocol ?? "") || !/^(on|off|parallel)$/.test(streaming) || !/^(any|none)$/.test(origin))
    return refused("an option of a stream");
  return {
    kind: "stream",
    options: { position: match[2] ?? "", protocol: Number(protocol), streaming: streaming !== "off" },
  };
}

/** `key 'value', …` with quotes doubled in values; undefined for anything else. */
function readOptions(text: string): Record<string, string> | undefined {
  const options: Record<string, string> = {};
  const option = /([a-z_]+) '((?:[^']|'')*)'(?:, |$)/y;
  while (option.lastIndex < text.length) {
    const match = option.exec(text);
    if (match?.[1] === undefined || match[1] in options) return undefined;
    options[match[1]] = (match[2] ?? "").replaceAll("''", "'");
  }
  return options;
}

/** The command for the publisher, made anew: nothing that a subscriber wrote reaches it but a position and a number. */
export function startCommand(name: string, { position, protocol, streaming }: StreamOptions): string {
  const flags = streaming ? ", streaming 'on'" : "";
  return `START_REPLICATION SLOT "${name}" LOGICAL ${position} (proto_version '${Math.min(protocol, 3)}'${flags}, publication_names '"${name}"')`;
}
