import { measureApi } from "../api.ts";
import { drawBars } from "../chart.ts";
import { CONTESTANTS, installContestants } from "../contestants.ts";
import { type BenchPart, report } from "../part.ts";
import { measureScaleOut } from "../scale-out.ts";
import { sql, startServers } from "../servers.ts";
import { startWorker } from "../worker.ts";
import { furnish } from "../workload.ts";

export const part: BenchPart = {
  title: "Requests beside others",
  about:
    "Reads of a resource with its organization and 20 comments with authors, and writes of a comment, by 32 connections, from each server in turn. Each has 4 connections to the tenant database. Sign-in, row-level security, limits and the audit log are on in ours only. Whoever asks and PostgreSQL share the machine with them.",
  order: 10,
  minutes: 6,
  run: async ({ quick }) => {
    const keys = quick ? (["bare", "tenantry"] as const) : CONTESTANTS;
    const rounds = quick ? { rounds: 1, seconds: 1 } : { rounds: 3, seconds: 8 };
    if (!quick) installContestants();
    await using stack = new AsyncDisposableStack();
    const servers = await startServers({ fsync: false });
    stack.defer(servers.stop);
    await sql(servers.home.url("postgres"), "create database bench_home");
    const connection = { databaseUrl: servers.home.url("bench_home"), secretKey: servers.secretKey };
    const worker = await startWorker(connection);
    stack.defer(() => worker.close());
    const regionUrl = (name?: string) => servers.region.url(name);
    const { targets, database } = await furnish(worker.services, { homeUrl: connection.databaseUrl, regionUrl });
    const where = { tenantUrl: servers.region.url(database), connection, targets };
    const { chart, ...found } = await measureApi(where, { keys, kinds: ["read", "write"], ...rounds });
    const about = "Requests per second of Tenantry and of other servers, 32 connections";
    report({
      ...found,
      chart: { file: "api.svg", about, svg: drawBars("Requests per second, 32 connections", chart) },
    });
    report(await measureScaleOut(where, rounds));
  },
};
