/**
 * What home's schema was after its last migration. There is one home, and its role need not be able to make another database there:
 * so `doctor` compares home with what the program has read of it, in place of what the migrations make elsewhere.
 */
import { describeLines, describeSchema, digestOf } from "#engine/migrations/fingerprint";
import { mendHomeGrants } from "#engine/migrations/home-grants";
import type { MigrationSet } from "#engine/migrations/migration-set";
import { diffSchema } from "#engine/migrations/schema-difference";
import { totalOf, versionOf } from "#engine/migrations/schema-version";
import type { HomeDatabase } from "#base/postgres/database";

type Kept = { lines: string[]; isOfVersion: boolean };

/**
 * Keeps what home is now, unless the same migrations on the same version of PostgreSQL have been kept already. A home that was
 * restored without its roles gets the API's rights in schema `home` back before.
 */
export async function keepHomeSchema(home: HomeDatabase, set: MigrationSet, apiRole: string): Promise<void> {
  const digest = digestOf(set.migrations, "");
  const kept = await find(home, digest);
  if (kept !== undefined) await mendHomeGrants(home, describeLines(kept.lines).facts, apiRole);
  if (kept?.isOfVersion === true) return;
  const { lines, serverVersion } = await describeSchema(home);
  await home.query(
    "home_schema.keep",
    `insert into tenantry.home_schema (digest, server_version, lines) values ($1, $2, $3)
     on conflict (one_row) do update
     set digest = excluded.digest, server_version = excluded.server_version, lines = excluded.lines`,
    [digest, serverVersion, lines],
  );
}

/** How home differs from what was kept, in sentences; none where nothing was kept of this version. */
export async function compareHome(
  home: HomeDatabase,
  set: MigrationSet,
): Promise<{ version: number; differences: string[] }> {
  const kept = await find(home, digestOf(set.migrations, ""));
  const version = totalOf(versionOf(set.migrations));
  if (kept?.isOfVersion !== true) return { version, differences: [] };
  return { version, differences: diffSchema(describeLines(kept.lines), await describeSchema(home)) };
}

async function find(home: HomeDatabase, digest: string): Promise<Kept | undefined> {
  const [row] = await home.query<Kept>(
    "home_schema.find",
    `select lines, server_version = current_setting('server_version_num')::int as "isOfVersion"
     from tenantry.home_schema where digest = $1`,
    [digest],
  );
  return row;
}
