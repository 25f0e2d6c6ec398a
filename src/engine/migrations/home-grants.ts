/**
 * What the API's role may do in schema `home`, where the app's own tables at home are. Migrations decide it, and may take a right
 * away. So after a restore without roles it is given again as it was read after the last migration.
 */
import type { HomeDatabase } from "#base/postgres/database";
import { quoteIdentifier } from "#base/postgres/identifiers";
import type { SchemaFact } from "#engine/migrations/fingerprint";

/** `relation`: a table, a view or a sequence there; null: the schema itself. */
type HomeGrant = { relation: string | null; privilege: string };

/** Gives the role what it had by these facts and lacks now. What is no table, view or sequence stays as it is. */
export async function mendHomeGrants(home: HomeDatabase, facts: readonly SchemaFact[], role: string): Promise<void> {
  const had = facts.flatMap((fact) => grantOf(fact, role));
  if (had.length === 0) return;
  const missing = await home.query<HomeGrant & { isSequence: boolean }>(
    "home_grants.missing",
    `select had.relation, had.privilege, coalesce(c.relkind = 'S', false) as "isSequence"
     from unnest($1::text[], $2::text[]) as had (relation, privilege)
     left join pg_class c on c.relnamespace = to_regnamespace('home') and c.relname = had.relation
     where case when had.relation is null then not has_schema_privilege($3, 'home', had.privilege)
                when c.relkind = 'S' then not has_sequence_privilege($3, c.oid, had.privilege)
                when c.relkind in ('r', 'p', 'f', 'v', 'm') then not has_table_privilege($3, c.oid, had.privilege)
                else false end`,
    [had.map(({ relation }) => relation), had.map(({ privilege }) => privilege), role],
  );
  for (const { relation, privilege, isSequence } of missing) {
    const object =
      relation === null ? "schema home" : `${isSequence ? "sequence" : "table"} home.${quoteIdentifier(relation)}`;
    await home.query("home_grants.give", `grant ${privilege} on ${object} to ${quoteIdentifier(role)}`);
  }
}

const PRIVILEGES = new Set(["usage", "select", "insert", "update", "delete", "truncate", "references", "trigger"]);

function grantOf({ kind, owner, name }: SchemaFact, role: string): HomeGrant[] {
  const suffix = ` to ${role}`;
  if (kind !== "grant" || !name.endsWith(suffix) || (owner !== "home" && !owner.startsWith("home."))) return [];
  const privilege = name.slice(0, -suffix.length);
  if (!PRIVILEGES.has(privilege)) return [];
  return [{ relation: owner === "home" ? null : owner.slice("home.".length), privilege }];
}
