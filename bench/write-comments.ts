/** Comments into one tenant database: what they cost the servers. */
import type { Fleet, TenantDatabase } from "./fleet.ts";
import { connected } from "./servers.ts";

/** The statement of createComment, one transaction each. */
const STATEMENT = `with added as (
    insert into app.comments (id, database_id, organization_id, resource_id, author_id, body)
    values (gen_random_uuid(), $1, $2, $3, $4, $5) returning *
  ), announced as (
    select pg_notify('tenantry_comment', resource_id || ' ' || id) from added
  )
  select id from added, announced`;

const BODY = "A comment of a usual length, which says that the second page of the draft needs another look.";

export type CommentCost = { cpuSeconds: number; wallMs: number; walBytes: number };

/**
 * Writes `count` comments on one connection, and waits for what is attached to have caught up: CPU-seconds of both
 * servers, the writing itself included.
 */
export function writeComments(fleet: Fleet, database: TenantDatabase, count: number): Promise<CommentCost> {
  return connected(fleet.tenantUrl(database), async (client) => {
    const values = [database.id, database.organizationId, database.resourceId, database.userId, BODY];
    await client.query(STATEMENT, values);
    const position = async () => {
      const { rows } = await client.query<{ bytes: string }>("select (pg_current_wal_lsn() - '0/0')::text as bytes");
      return Number(rows[0]?.bytes);
    };
    const walBefore = await position();
    const cpuBefore = fleet.cpuSeconds();
    const started = performance.now();
    for (let written = 0; written < count; written += 1) await client.query(STATEMENT, values);
    const wallMs = performance.now() - started;
    if (fleet.mode === "attached") await fleet.untilCarried();
    return { cpuSeconds: fleet.cpuSeconds() - cpuBefore, wallMs, walBytes: (await position()) - walBefore };
  });
}
