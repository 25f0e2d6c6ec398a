/** Taking one placement's rows out of a database that others go on using. */
import type { Placement } from "#engine/home/placements";
import type { TenantDatabase } from "#base/postgres/database";

/** Resources deleted by one statement, each with its comments. */
const PIECE = 200;
/** Others' writes queue up behind the lock while it waits for theirs. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Has the database refuse rows of the placement from now on, also from a process that has not heard of its end, and waits
 * for statements that are under way. Rejects with SQLSTATE 55P03 when a transaction that writes stays open too long.
 */
export async function closeToPlacement(database: TenantDatabase, number: number): Promise<void> {
  await database.query(
    "placements.close",
    "insert into tenantry.closed_placements (number) values ($1) on conflict do nothing",
    [number],
  );
  await database.transaction(async (transaction) => {
    await transaction.query("placements.lock_timeout", "select set_config('lock_timeout', $1, true)", [
      String(LOCK_TIMEOUT_MS),
    ]);
    // Whoever writes holds a lock that this one waits for; who comes later looks at what is closed.
    await transaction.query(
      "placements.await_writers",
      "lock table tenantry.resources, tenantry.comments in share mode",
    );
  });
}

/** Deletes the placement's resources and comments, piece by piece so that nobody waits long. */
export async function deleteContent(
  database: TenantDatabase,
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
): Promise<void> {
  for (;;) {
    const deleted = await database.query(
      "content.delete",
      `delete from tenantry.resources
       where database_id = $1 and id = any (array(
         select id from tenantry.resources where organization_id = $2 order by id limit ${PIECE}))
       returning id`,
      [databaseId, organizationId],
    );
    if (deleted.length < PIECE) return;
  }
}

/** Whether anything of the organization's directory is still in the database. */
export async function knowsOrganization(
  database: TenantDatabase,
  { databaseId, organizationId }: Pick<Placement, "databaseId" | "organizationId">,
): Promise<boolean> {
  const rows = await database.query(
    "directory.find",
    `select from tenantry.directory_organizations where database_id = $1 and organization_id = $2
     union all
     select from tenantry.directory_members where database_id = $1 and organization_id = $2 limit 1`,
    [databaseId, organizationId],
  );
  return rows.length > 0;
}
