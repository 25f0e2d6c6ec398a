/**
 * A physical standby of a running test server, to be promoted. Made by a base backup of the documented low-level kind, as the
 * packages of the servers bring no pg_basebackup.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { serverAccount } from "../../src/embedded/account.ts";
import { findBinaries } from "../../src/embedded/binaries.ts";
import { choosePorts } from "../../src/embedded/ports.ts";
import { PostgresServer } from "../../src/embedded/postgres-server.ts";
import { waitFor } from "../../src/base/kernel/wait.ts";
import { sql } from "./app.ts";
import { FAST_SETTINGS, OTHER_VERSION } from "./global-setup.ts";
import { type OwnServer, temporaryFolder } from "./servers.ts";

const WAIT = { timeoutMs: 20_000, pauseMs: 10, maxPauseMs: 50 };

/** What a base backup leaves out, by folder: see the manual's "Backing Up the Data Directory". */
const LEFT_OUT = ["pg_replslot", "pg_wal", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp"];

export type Standby = OwnServer & {
  /** Returns when what the primary has written so far is on the standby and can be seen there. */
  catchUp: () => Promise<void>;
  /** Ends the connection to the primary: what that writes from now on is lost with it. */
  cutOff: () => Promise<void>;
  /** Kills the primary and makes the standby the primary; with `samePort` at the primary's address. */
  takeOver: (options?: { samePort?: boolean }) => Promise<void>;
};

/** Makes and starts a standby that streams from the primary, with a slot there. Use it with `await using`. */
export async function startStandby(primary: OwnServer): Promise<Standby> {
  const folder = join(temporaryFolder(), "own");
  const primaryUrl = new URL(primary.url("postgres"));
  const password = primaryUrl.password;
  await copyData(primary, folder);
  const connection = `host=127.0.0.1 port=${primaryUrl.port} user=postgres password=${password} dbname=postgres`;
  appendFileSync(
    join(folder, "postgresql.auto.conf"),
    `\nprimary_conninfo = '${connection}'\nprimary_slot_name = 'standby'\nhot_standby_feedback = on\n`,
  );
  const account = serverAccount([folder]);
  const packageName = OTHER_VERSION.binariesPackage;
  const binaries = await findBinaries({ packageName, account, copies: join(folder, "..", "bin") });
  const on = (port: number) =>
    new PostgresServer({ name: "own", binaries, account, folder, password, port, settings: FAST_SETTINGS });
  const [port = 0] = await choosePorts([undefined], new Set());
  let server = on(port);
  await server.start();
  const ask = <Row extends object>(text: string, values: unknown[] = []) =>
    sql<Row>(server.url("postgres"), text, values);
  const until = async (what: string, condition: string, values: unknown[] = []) => {
    const isSo = async () => {
      const [row] = await ask<{ so: boolean }>(`select ${condition} as so`, values);
      return row?.so === true ? true : undefined;
    };
    if ((await waitFor(isSo, WAIT)) === undefined) throw new Error(`the standby: ${what}`);
  };
  return {
    get server() {
      return server;
    },
    url: (database) => server.url(database),
    dataFolder: folder,
    catchUp: async () => {
      const [end] = await sql<{ lsn: string }>(
        primary.url("postgres"),
        "select pg_current_wal_flush_lsn()::text as lsn",
      );
      await until("has not caught up", "pg_last_wal_replay_lsn() >= $1::pg_lsn", [end?.lsn]);
    },
    cutOff: async () => {
      await ask("alter system set primary_conninfo = ''");
      await ask("select pg_reload_conf()");
      await until("goes on receiving", "not exists (select from pg_stat_wal_receiver)");
    },
    takeOver: async ({ samePort = false } = {}) => {
      await primary.server.kill();
      if (samePort) {
        await server.stop();
        server = on(Number(primaryUrl.port));
        await server.start();
      }
      await ask("select pg_promote(true, 20)");
      await until("takes no writes", "not pg_is_in_recovery()");
    },
    [Symbol.asyncDispose]: () => server.stop("immediate"),
  };
}

async function copyData(primary: OwnServer, folder: string): Promise<void> {
  const client = new pg.Client({ connectionString: primary.url("postgres") });
  await client.connect();
  try {
    // Keeps the WAL from here on until the standby has it.
    await client.query("select pg_create_physical_replication_slot('standby', true)");
    await client.query("select pg_backup_start('standby', true)");
    // Not cpSync, which leaves the owner behind. Files come and go meanwhile, which tar says and cp fails at.
    mkdirSync(folder, { mode: 0o700 });
    const source = primary.dataFolder;
    const excluded = ["postmaster.pid", "postmaster.opts", ...LEFT_OUT.map((name) => `${name}/*`)];
    execFileSync("sh", [
      "-c",
      'source=$1 target=$2; shift 2; tar -C "$source" --warning=no-file-changed --warning=no-file-removed "$@" -cf - . | tar -C "$target" -xpf -',
      "sh",
      source,
      folder,
      ...excluded.map((name) => `--exclude=./${name}`),
    ]);
    const { rows } = await client.query<{ label: string; spaces: string }>(
      "select labelfile as label, spcmapfile as spaces from pg_backup_stop(false)",
    );
    const { uid, gid } = statSync(source);
    const write = (name: string, text: string) => {
      const file = join(folder, name);
      writeFileSync(file, text, { mode: 0o600 });
      chownSync(file, uid, gid);
    };
    write("backup_label", rows[0]?.label ?? "");
    write("standby.signal", "");
    // The primary's settings are beside its folder; the standby's are written at its start.
    for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".pid"))) rmSync(join(folder, name));
  } finally {
    await client.end();
  }
}
