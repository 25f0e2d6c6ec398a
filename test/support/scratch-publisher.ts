/** A database of a test's own that plays a region whose administrator sends what they like. */
import { randomBytes } from "node:crypto";
import { formatConnectionString, parseDatabaseUrl } from "../../src/base/postgres/connection-url.ts";
import { majorVersionOf, serverUrl, sql } from "./app.ts";

export type ScratchPublisher = AsyncDisposable & {
  url: string;
  name: string;
  /** Runs one statement there. */
  run: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
};

export async function createScratchPublisher(): Promise<ScratchPublisher> {
  const name = `scratch_${randomBytes(6).toString("hex")}`;
  const server = serverUrl("eu");
  const maintenance = `${server}/postgres`;
  await sql(maintenance, `create database ${name} template template0 encoding 'UTF8'`);
  const url = `${server}/${name}`;
  const drop = async () => {
    await sql(
      maintenance,
      "select pg_terminate_backend(active_pid, 5000), pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1",
      [name],
    );
    await sql(maintenance, `drop database ${name} with (force)`);
  };
  // For texts that are none: a superuser can have bytes taken for text as they are.
  await sql(url, "create cast (bytea as text) without function");
  return { url, name, run: (text, values) => sql(url, text, values), [Symbol.asyncDispose]: drop };
}

/** Whose the subscription at home is: the inbox's role, as Tenantry leaves it, or a superuser, as some providers leave it. */
export type Owner = "inbox" | "superuser";

/**
 * Subscribes home to everything that the publication of this name publishes, by PostgreSQL's own statements. Give it back
 * with {@link unsubscribe}.
 */
export async function subscribe(
  homeUrl: string,
  publisher: ScratchPublisher,
  name: string,
  { owner, inboxRole }: { owner: Owner; inboxRole: string },
): Promise<void> {
  const { address } = parseDatabaseUrl(publisher.url, "publisher");
  await publisher.run("select pg_create_logical_replication_slot($1, 'pgoutput')", [name]);
  const connection = formatConnectionString(address, publisher.name).replaceAll("'", "''");
  await sql(
    homeUrl,
    `create subscription ${name} connection '${connection}' publication ${name}
     with (create_slot = false, slot_name = ${name}, copy_data = false, enabled = false)`,
  );
  if (owner === "inbox") await handOver(homeUrl, name, inboxRole);
  await sql(homeUrl, `alter subscription ${name} enable`);
}

async function handOver(homeUrl: string, name: string, inboxRole: string): Promise<void> {
  if ((await majorVersionOf(homeUrl)) >= 16) {
    await sql(homeUrl, `alter subscription ${name} set (run_as_owner = true)`);
    await sql(homeUrl, `alter subscription ${name} owner to ${inboxRole}`);
    return;
  }
  // 15 gives a subscription to superusers only, and asks no more when one of them ceases to be.
  await sql(
    homeUrl,
    `do $$ begin
       alter role ${inboxRole} superuser;
       alter subscription ${name} owner to ${inboxRole};
       alter role ${inboxRole} nosuperuser;
     end $$`,
  );
}

/** Takes both sides away. */
export async function unsubscribe(homeUrl: string, publisher: ScratchPublisher, name: string): Promise<void> {
  await sql(homeUrl, `alter subscription ${name} disable`);
  await sql(homeUrl, `alter subscription ${name} set (slot_name = none)`);
  await sql(homeUrl, `drop subscription ${name}`);
  await publisher.run(
    "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = $1 and active",
    [name],
  );
  await publisher.run("select pg_drop_replication_slot($1)", [name]);
}
