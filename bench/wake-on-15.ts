/**
 * Measures how long a change takes to the other side on PostgreSQL 15, where the launcher starts workers at most once in
 * `wal_retrieve_retry_interval`: with its default and with 200 ms, with and without asking it again, after a rest and
 * from a link that was kept awake. `POSTGRES_PACKAGE=<module of 15>`; `--no-fsync`: where the disk is slow.
 */
import { parseArgs } from "node:util";
import { CARRIER_DEFAULTS } from "../src/engine/replication/carrier-options.ts";
import { Fleet, NO_SWEEP } from "./fleet.ts";
import { measureLatency, type Sample } from "./latency.ts";
import { median, percentile } from "./statistics.ts";
import { digits, table } from "./table.ts";

const { values: flags } = parseArgs({ options: { fsync: { type: "boolean", default: true } }, allowNegative: true });
const binariesPackage = process.env["POSTGRES_PACKAGE"];
const DATABASES = 3;
const SAMPLES = 12;
const NEVER_MS = 86_400_000;
const REST = { idleMs: CARRIER_DEFAULTS.idleMs, slowIdleMs: 0, stallMs: 60_000 };

const rows: (string | number)[][] = [];

function add(interval: string, how: string, samples: readonly Sample[]): void {
  const visible = samples.map(({ visibleMs }) => visibleMs);
  const row = [interval, how, ...[median(visible), percentile(visible, 0.9), Math.max(...visible)].map(digits)];
  console.error(row.join(" "));
  rows.push(row);
}

for (const interval of ["5s", "200ms"]) {
  const settings = { wal_retrieve_retry_interval: interval };
  const fleet = await Fleet.start(DATABASES, { fsync: flags.fsync, settings, binariesPackage }, []);
  try {
    for (const [how, askAgainMs] of [
      ["from rest, asked once", NEVER_MS],
      ["from rest", CARRIER_DEFAULTS.askAgainMs],
    ] as const) {
      await fleet.park({ ...NO_SWEEP, carrier: { ...REST, askAgainMs } });
      add(interval, how, await measureLatency(fleet, "catalog", SAMPLES));
    }
    await fleet.park({ ...NO_SWEEP, carrier: { ...REST, slowIdleMs: CARRIER_DEFAULTS.slowIdleMs } });
    // Once each to wake them.
    await measureLatency(fleet, "catalog", DATABASES, false);
    add(interval, "soon after another", await measureLatency(fleet, "catalog", SAMPLES, false));
  } finally {
    await fleet.stop();
  }
}
console.log(table(["interval", "a change", "median ms", "p90 ms", "most ms"], rows));
