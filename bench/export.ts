/** Export and import of one placement: MB/s and the process's peak memory. `--mb=1000`, `--no-fsync`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { OPERATOR } from "../src/auth/actor.ts";
import { createOrganization } from "../src/directory/organizations.ts";
import { getPlacement, type Placement } from "../src/directory/placements.ts";
import { registerRegion } from "../src/directory/regions.ts";
import { startApp } from "../src/main.ts";
import { exportPlacement } from "../src/operations/export-placement.ts";
import { grantRegionAccess } from "../src/operations/grant-region-access.ts";
import { importPlacement } from "../src/operations/import-placement.ts";
import { describeMachine } from "./machine.ts";
import { sql, startServers } from "./servers.ts";
import { digits, table } from "./table.ts";

const { values: flags } = parseArgs({
  options: { fsync: { type: "boolean", default: true }, mb: { type: "string", default: "1000" } },
  allowNegative: true,
});
/** A comment of 1,000 characters is a line of this many bytes, about. */
const LINE_BYTES = 1_260;

const servers = await startServers({ fsync: flags.fsync });
const folder = mkdtempSync(join(tmpdir(), "tenantry-bench-export-"));
await sql(servers.home.url("postgres"), "create database bench_home");
const app = await startApp({
  databaseUrl: servers.home.url("bench_home"),
  secretKey: servers.secretKey,
  role: "worker",
  host: "127.0.0.1",
  port: 0,
  logLevel: "error",
  prettyLogs: false,
});
const { services } = app;

/** Seconds, and the highest resident memory in MB seen meanwhile. */
async function watched(work: () => Promise<unknown>): Promise<{ seconds: number; peakMb: number }> {
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 50);
  const started = performance.now();
  await work();
  clearInterval(timer);
  return { seconds: (performance.now() - started) / 1_000, peakMb: peak / 1e6 };
}

try {
  await registerRegion(services, OPERATOR, { key: "bench", name: "Bench", connectionUrl: servers.region.url() });
  const { id } = await createOrganization(services, OPERATOR, { name: "Large" });
  const grant = async (): Promise<Placement> => {
    for (;;) {
      const input = { organizationId: id, regionKey: "bench", isolation: "DEDICATED" } as const;
      const placement = await grantRegionAccess(services, OPERATOR, input);
      if (placement.state === "ACTIVE") return getPlacement(services, OPERATOR, placement.id);
    }
  };
  const placement = await grant();
  const url = servers.region.url(placement.database);
  const comments = Math.round((Number(flags.mb) * 1e6) / LINE_BYTES);
  await sql(
    url,
    `insert into tenantry.resources (database_id, id, organization_id, name)
     select $1, gen_random_uuid(), $2, 'Resource ' || i from generate_series(1, 1000) i`,
    [placement.databaseId, id],
  );
  await sql(
    url,
    `insert into tenantry.comments (database_id, id, organization_id, resource_id, author_id, body)
     select $1, gen_random_uuid(), $2, r.id, gen_random_uuid(), repeat(md5(i::text), 31) || 'and more'
     from generate_series(1, $3) i
     join (select id, row_number() over (order by id) - 1 as n from tenantry.resources) r on r.n = i % 1000`,
    [placement.databaseId, id, comments],
  );
  let bytes = 0;
  const exported = await watched(async () => {
    const { files } = await exportPlacement(services, placement, join(folder, "one"));
    bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  });
  await sql(url, "truncate tenantry.comments");
  await sql(url, "delete from tenantry.resources");
  const imported = await watched(() => importPlacement(services, placement, join(folder, "one")));
  const row = (what: string, { seconds, peakMb }: { seconds: number; peakMb: number }) => [
    what,
    digits(bytes / 1e6),
    digits(seconds),
    digits(bytes / 1e6 / seconds),
    digits(peakMb),
  ];
  process.stdout.write(
    `${describeMachine("18.4")}; fsync ${flags.fsync ? "on" : "off"}\n\n${table(
      ["", "MB", "s", "MB/s", "peak memory, MB"],
      [row("export", exported), row("import", imported)],
    )}\n`,
  );
} finally {
  await app.close();
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
}
