/** What the superuser of `eu` does, in pieces. */
import { expect } from "vitest";
import { NUDGE_CHANNEL } from "../../src/engine/replication/nudge.ts";
import { type Stage, type Tenant, until } from "./hostile-region.ts";
import { routedIdSql } from "./routed-id.ts";

/** One tenant of the attacked server, and where home is. */
export type Attacked = Pick<Stage, "app" | "home"> & { mine: Link };
type Link = Pick<Tenant, "database" | "databaseId">;

/** The name of the tenant database's catalog link: of its publication, its slot, and home's subscription. */
export function catalogOf({ database }: Pick<Link, "database">): string {
  return `${database}_catalog`;
}

/** Tells whoever carries the link that there is something in it, as the API does after a write. */
export async function nudge({ home }: Pick<Attacked, "home">, { databaseId }: Pick<Link, "databaseId">): Promise<void> {
  await home("select pg_notify($1, $2)", [NUDGE_CHANNEL, `${databaseId} catalog`]);
}

/** Writes an honest row by hand, and waits until home has it: then everything before it has been looked at. */
export async function sendHonest(stage: Stage, tenant = stage.mine): Promise<string> {
  const [{ id }] = await stage.eu(
    `insert into app.resources (database_id, id, organization_id, name)
     values ($1, ${routedIdSql(tenant.number)}, $2, 'Honest') returning id`,
    [tenant.databaseId, tenant.organization],
    tenant.database,
  );
  await until("an honest row is at home", async () => {
    await nudge(stage, tenant);
    // While a link is made anew, its copy is there before it is.
    const here = await stage.home(
      "select from catalog.resources where id = $1 and exists (select from pg_subscription where subname = $2)",
      [id, catalogOf(tenant)],
    );
    return here.length > 0;
  });
  return id;
}

/** Takes the publisher's side of a link away, so that it is made anew, and waits until it is. */
export async function breakLink(stage: Stage, tenant = stage.mine): Promise<void> {
  const name = catalogOf(tenant);
  const subscription = "select oid from pg_subscription where subname = $1";
  const [before] = await stage.home<{ oid: number }>(subscription, [name]);
  await dropSlot(stage, tenant);
  await stage.eu(`drop publication if exists ${name}`, [], tenant.database);
  await until("the link was made anew", async () => {
    await nudge(stage, tenant);
    const [now] = await stage.home<{ oid: number }>(subscription, [name]);
    return now !== undefined && now.oid !== before?.oid;
  });
}

export async function dropSlot(
  { eu, mine }: { eu: (text: string, values?: unknown[]) => Promise<unknown[]>; mine: Pick<Tenant, "database"> },
  tenant: Pick<Tenant, "database"> = mine,
): Promise<void> {
  const name = catalogOf(tenant);
  await until("the slot is gone", async () => {
    await eu(
      "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = $1 and active",
      [name],
    );
    await eu(
      "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
      [name],
    );
    return (await eu("select from pg_replication_slots where slot_name = $1", [name])).length === 0;
  });
}

/** Waits until the gateway has refused something of the tenant's catalog link, and expects it to be this and nothing else. */
export async function refusedAlone(stage: Attacked, since: Date, code: string | undefined): Promise<void> {
  let codes: string[] = [];
  await until("the gateway refused something", async () => {
    await stage.app.services.ledger.flush();
    const rows = await stage.home<{ code: string }>(
      "select code from tenantry.border_refusals where database_id = $1 and direction = 'catalog' and last_at >= $2",
      [stage.mine.databaseId, since],
    );
    codes = rows.map((row) => row.code);
    return codes.length > 0;
  });
  expect(new Set(codes)).toEqual(new Set([code]));
}

/** Waits until home's server has failed to apply something of the tenant's catalog link. */
export async function haltedApplying(stage: Attacked, before: number, tenant: Link = stage.mine): Promise<void> {
  await until("home's server could not apply something", async () => (await applyErrors(stage, tenant)) > before);
}

/** Waits until what was sent has been looked at, and expects that none of it halted the stream. */
export async function passedBy(stage: Stage, before: number): Promise<void> {
  await sendHonest(stage);
  expect(await applyErrors(stage, stage.mine)).toBeLessThanOrEqual(before);
}

export async function applyErrors({ home }: Pick<Attacked, "home">, tenant: Link): Promise<number> {
  const [row] = await home<{ errors: number }>(
    "select apply_error_count::int as errors from pg_stat_subscription_stats where subname = $1",
    [catalogOf(tenant)],
  );
  return row?.errors ?? 0;
}

/** Tables of home, made in the tenant database with the same columns, without what keeps them clean. */
export async function copyTables({ home, eu }: Stage, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const [row] = await home<{ columns: string }>(
      `select string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' order by attnum) as columns
       from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
      [`tenantry.${table}`],
    );
    await eu(`drop table if exists tenantry.${table} cascade`);
    await eu(`create table tenantry.${table} (${row?.columns})`);
    await eu(`alter table tenantry.${table} replica identity full`);
  }
}

/** A row with something in each column that such a column takes. */
export async function insertForgery({ eu }: Stage, table: string): Promise<void> {
  await eu(
    `do $$ declare cols text; vals text; begin
       select string_agg(quote_ident(attname), ', '), string_agg(case format_type(atttypid, atttypmod)
           when 'uuid' then 'gen_random_uuid()' when 'text' then quote_literal('FORGED')
           when 'integer' then '15999999' when 'bigint' then '15999999' when 'boolean' then 'true'
           when 'xid8' then 'pg_current_xact_id()'
           when 'timestamp with time zone' then 'now() + interval ''1 day''' when 'bytea' then 'sha256(''forged'')'
           else 'null' end, ', ')
         into cols, vals from pg_attribute where attrelid = 'tenantry.${table}'::regclass and attnum > 0 and not attisdropped;
       execute format('insert into tenantry.${table} (%s) values (%s)', cols, vals);
     end $$`,
  );
}

/** The publication as the program makes it: what the program does not look at before the link breaks is as it was. */
export async function publishHonestly({ eu, mine }: Stage): Promise<void> {
  const name = catalogOf(mine);
  if ((await eu("select from pg_publication where pubname = $1", [name])).length === 0) return;
  await eu(`alter publication ${name} set table app.resources (${COLUMNS}) where (database_id = ${mine.databaseId})`);
  await eu(`alter publication ${name} set (publish = 'insert, update, delete')`);
}

export const COLUMNS = "database_id, id, organization_id, name, created_by, created_at, updated_at";
