/**
 * Makes a subscriber's copy equal to the publisher's rows: missing rows are added, changed ones updated, extra
 * ones removed. Done between making the slot and making the subscription, so that the stream replays everything
 * since before the snapshot; replaying what the copy already has changes nothing in the end.
 */
import { quoteIdentifier } from "#postgres/identifiers";
import type { Queryable, DatabaseKind } from "#postgres/database";
import type { Link, PublishedTable } from "#replication/link";

const BATCH_ROWS = 1_000;

/** Seeds every table of the link. Blocks no writer of the publisher; the copy changes in one transaction. */
export async function seed(link: Link): Promise<void> {
  await link.publisher.database.transaction(async (source) => {
    await link.subscriber.database.transaction(async (target) => {
      for (const table of link.tables) await seedTable(link, table, source, target);
    });
  }, "repeatable read");
}

async function seedTable(
  link: Link,
  table: PublishedTable,
  source: Queryable<DatabaseKind>,
  target: Queryable<DatabaseKind>,
): Promise<void> {
  const name = `tenantry.${quoteIdentifier(table.table)}`;
  const columns = table.columns.map(quoteIdentifier).join(", ");
  const key = table.key.map(quoteIdentifier).join(", ");
  const seen = `seed_${table.table}`;
  await target.query("seed.start", `create temp table ${quoteIdentifier(seen)} (like ${name}) on commit drop`);
  let after: unknown[] | undefined;
  for (;;) {
    // Rows travel as JSON text: one parameter per batch, whatever the columns' types are.
    const [batch] = await source.query<{ rows: string; last: unknown[] | null; count: number }>(
      "seed.read",
      `with batch as (
         select ${columns} from ${name}
         where database_id = $1 ${after === undefined ? "" : `and (${key}) > (${table.key.map((_, i) => `$${i + 2}`).join(", ")})`}
         order by ${key} limit ${BATCH_ROWS}
       )
       select coalesce(json_agg(batch order by ${key}), '[]')::text as rows, count(*)::int as count,
              (select json_build_array(${key}) from batch order by ${table.key.map((column) => `${quoteIdentifier(column)} desc`).join(", ")} limit 1) as last
       from batch`,
      [link.databaseId, ...(after ?? [])],
    );
    if (batch === undefined || batch.count === 0) break;
    await target.query(
      "seed.stage",
      `insert into ${quoteIdentifier(seen)} (${columns}) select ${columns} from json_populate_recordset(null::${name}, $1::json)`,
      [batch.rows],
    );
    if (batch.count < BATCH_ROWS || batch.last === null) break;
    after = batch.last;
  }
  await converge(link, table, name, seen, target);
}

async function converge(
  link: Link,
  table: PublishedTable,
  name: string,
  seen: string,
  target: Queryable<DatabaseKind>,
): Promise<void> {
  const columns = table.columns.map(quoteIdentifier).join(", ");
  const key = table.key.map(quoteIdentifier).join(", ");
  const others = table.columns.filter((column) => !table.key.includes(column)).map(quoteIdentifier);
  await target.query(
    "seed.remove",
    `delete from ${name} where database_id = $1 and (${key}) not in (select ${key} from ${quoteIdentifier(seen)})`,
    [link.databaseId],
  );
  await target.query(
    "seed.write",
    `insert into ${name} as t (${columns}) select ${columns} from ${quoteIdentifier(seen)}
     on conflict (${key}) do update set ${others.map((column) => `${column} = excluded.${column}`).join(", ")}
     where (${others.map((column) => `t.${column}`).join(", ")}) is distinct from (${others.map((column) => `excluded.${column}`).join(", ")})`,
  );
}
