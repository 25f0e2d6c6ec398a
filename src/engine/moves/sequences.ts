/**
 * Sequences that defaults of a team's tables take values from. A stream of changes does not carry them, so the target's are
 * brought to where the source's are. Ids made by tenantry.new_id() need none.
 */
import { quoteLiteral, quoteQualified } from "#base/postgres/identifiers";
import type { Queryable } from "#base/postgres/database";
import type { MovedTable, Side } from "#engine/moves/moved-tables";

/** The sequences that the tables' defaults name, each with its schema. To be asked for before writes are held. */
export async function findSequences(database: Queryable<"tenant">, tables: readonly MovedTable[]): Promise<string[]> {
  const rows = await database.query<{ name: string }>(
    "moves.sequences",
    `select distinct format('%s.%s', n.nspname, s.relname) as name
     from unnest($1::text[]) as t (name)
     join pg_attrdef d on d.adrelid = to_regclass(t.name)
     join pg_depend p on p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refclassid = 'pg_class'::regclass
     join pg_class s on s.oid = p.refobjid and s.relkind = 'S'
     join pg_namespace n on n.oid = s.relnamespace
     order by 1`,
    [tables.map(({ name }) => quoteQualified(name))],
  );
  return rows.map(({ name }) => name);
}

/**
 * Brings the target's sequences as far as the source's are, at least: other organizations of the target may have taken values
 * beyond. For the hold: nobody takes values for the placement meanwhile. Without sequences it asks nobody.
 */
export async function setSequences(from: Side, to: Side, sequences: readonly string[]): Promise<void> {
  if (sequences.length === 0) return;
  const names = sequences.map(quoteQualified);
  const taken = await from.database.query<{ name: string; last: string }>(
    "moves.read_sequences",
    names
      .map((name, index) => `select $${index + 1}::text as name, last_value::text as last from ${name} where is_called`)
      .join(" union all "),
    names,
  );
  if (taken.length === 0) return;
  // A sequence that counts down is behind where its value is greater. Others of the target may take values of it too, and the source is
  // not trusted: of what is left it takes half at most.
  await to.database.query(
    "moves.set_sequences",
    taken
      .map(
        ({ name }, index) =>
          `select setval(q.seqrelid, case when q.seqincrement > 0
               then least($${index + 1}::bigint, (s.last_value + (q.seqmax::numeric - s.last_value) / 2)::bigint)
               else greatest($${index + 1}::bigint, (s.last_value - (s.last_value::numeric - q.seqmin) / 2)::bigint) end)
           from pg_sequence q, ${name} s
           where q.seqrelid = ${quoteLiteral(name)}::regclass
             and case when q.seqincrement > 0 then s.last_value <= $${index + 1}::bigint else s.last_value >= $${index + 1}::bigint end`,
      )
      .join(" union all "),
    taken.map(({ last }) => last),
  );
}
