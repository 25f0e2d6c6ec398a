import { quoteIdentifier, quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import type { Link } from "#engine/replication/link";

/** What a publication publishes: not TRUNCATE, by which one publisher would empty the subscriber's table for all. */
export const PUBLISHED_CHANGES = ["insert", "update", "delete"] as const;

/** Others wait behind a lock that is waited for. */
const TWIN_LOCK_TIMEOUT_MS = 2_000;

/** The rows that a publication lets out, in SQL: those of one tenant database. */
export function rowFilter(databaseId: number | string): string {
  return `database_id = ${databaseId}`;
}

/**
 * What makes the link's publication, in place of one that is there, and commits that. The filter lets out the rows of one tenant
 * database only, the columns are listed, and TRUNCATE is not published.
 */
export function remakingPublication(link: Link): string {
  // Two callers at once: the exception of the second is the state it wanted.
  return `begin;
     drop publication if exists ${quoteIdentifier(link.name)};
     do $$ begin
       execute ${quoteLiteral(
         `create publication ${quoteIdentifier(link.name)} for table ${tableList(link)} with (publish = '${PUBLISHED_CHANGES.join(", ")}')`,
       )};
     exception when duplicate_object or unique_violation then null;
     end $$;
     commit`;
}

function tableList(link: Link): string {
  return link.tables
    .map(
      ({ from, columns }) =>
        `${quoteQualified(from)} (${columns.map(quoteIdentifier).join(", ")}) where (${rowFilter(link.databaseId)})`,
    )
    .join(", ");
}

/**
 * Takes columns off a publication that is there and used. Nothing stops for it: a walsender sends each change with the
 * columns that were published when it was written. Adding some in the same way would leave the copy without the values
 * of rows that are not written again, so for that the link is reseeded.
 */
async function narrowPublication(link: Link): Promise<void> {
  await link.publisher.database.query(
    "publication.narrow",
    `alter publication ${quoteIdentifier(link.name)} set table ${tableList(link)}`,
  );
}

/** What the publication lets out compared with what it should. `wider`: the same and more columns or tables. */
type PublicationState = "matches" | "wider" | "different";

/** Whether the publication is there with its tables, and publishes neither TRUNCATE nor more than it should. */
export async function publicationMatches(link: Link): Promise<boolean> {
  return (await comparePublication(link)) === "matches";
}

async function comparePublication(link: Link): Promise<PublicationState> {
  const rows = await link.publisher.database.query<{ from: string; columns: string[]; filter: string | null }>(
    "publication.read",
    `select t.schemaname || '.' || t.tablename as "from", t.attnames::text[] as columns, t.rowfilter as filter
     from pg_publication p join pg_publication_tables t on t.pubname = p.pubname
     where p.pubname = $1 and p.pubinsert and p.pubupdate and p.pubdelete and not p.pubtruncate and not p.puballtables`,
    [link.name],
  );
  let printed: Map<string, string> | undefined;
  for (const { from, columns } of link.tables) {
    const row = rows.find((published) => published.from === from);
    if (row === undefined || columns.some((column) => !row.columns.includes(column))) return "different";
    if (row.filter === `(${rowFilter(link.databaseId)})`) continue;
    // The same text means the same. Another one may mean it too, as how it is printed is each server's own.
    printed ??= await printFilters(link);
    if (row.filter === null || row.filter !== printed.get(from)) return "different";
  }
  const exact = link.tables.every(
    ({ from, columns }) => rows.find((published) => published.from === from)?.columns.length === columns.length,
  );
  return exact && rows.length === link.tables.length ? "matches" : "wider";
}

/** How the publisher's server prints the filters that the link should have: it makes a publication with them, and takes it back. */
async function printFilters(link: Link): Promise<Map<string, string>> {
  const twin = `${link.name}_twin`;
  const results = await link.publisher.database.session((session) =>
    session.script(
      "publication.twin",
      `begin;
       set local lock_timeout = '${TWIN_LOCK_TIMEOUT_MS}';
       create publication ${quoteIdentifier(twin)} for table ${tableList(link)};
       select schemaname || '.' || tablename as "from", rowfilter as filter
       from pg_publication_tables where pubname = ${quoteLiteral(twin)};
       rollback`,
    ),
  );
  const rows = results.flat() as { from?: unknown; filter?: unknown }[];
  return new Map(
    rows.flatMap(({ from, filter }) =>
      typeof from === "string" && typeof filter === "string" ? [[from, filter] as const] : [],
    ),
  );
}

/** Narrows a publication that lets out more than it should; only a reseed mends one that is `wrong`. */
export async function publishNoMore(link: Link): Promise<"right" | "narrowed" | "wrong"> {
  const state = await comparePublication(link);
  if (state !== "wider") return state === "matches" ? "right" : "wrong";
  await narrowPublication(link);
  return "narrowed";
}
